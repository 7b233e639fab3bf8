import Foundation
import Synchronization
import TestKit

/// A whole installation of its own: Postgres, Redis and the executables of this build, as production runs them.
final class RunningStack: Sendable {
    let postgres: TestPostgres
    let redis: TestRedis
    let gateway: RunningProcess
    let client: Client
    let gatewayMetricsPort: Int
    let database: String

    private let folder: URL
    private let accountsPorts: [Int]
    private let environment: [String: String]
    private let replicas = Mutex<[RunningProcess]>([])
    private let retired = Mutex<[String]>([])

    static func start(accounts count: Int = 1, redisOptions: [String] = []) async throws -> RunningStack {
        let postgres = try await TestPostgres.start()
        let redis = try await TestRedis.start(options: redisOptions)
        let folder = try await temporaryFolder("messages")
        let database = try await postgres.database()
        let password = UUID().uuidString
        let file = folder.appendingPathComponent("password")
        try Data(password.utf8).write(to: file)
        try await postgres.asAdministrator(
            file: "Deploy/role.sql", variables: ["service": "accounts", "file": file.path], database: database)

        let ports = try (0..<count).map { _ in try freePort() }
        let (gatewayPort, metricsPort) = (try freePort(), try freePort())
        let environment = [
            "DATABASE_URL": postgres.uri(database: database, user: "accounts", password: password),
            "REDIS_URL": redis.url, "SECRET_KEY": UUID().uuidString + UUID().uuidString,
            "PUBLIC_URL": "http://127.0.0.1:\(gatewayPort)", "WEB_DOMAIN": "web.example",
            "MAIL_URL": "file:\(folder.path)/mail", "SMS_URL": "file:\(folder.path)/sms", "RATE_LIMIT_ENABLED": "false",
            "GATEWAY_PORT": "\(gatewayPort)", "GATEWAY_METRICS_PORT": "\(metricsPort)",
            "ACCOUNTS_URL": ports.map { "http://127.0.0.1:\($0)" }.joined(separator: ","),
            "HEROES_URL": "http://127.0.0.1:\(try freePort())", "CALLS_URL": "http://127.0.0.1:\(try freePort())",
            "LISTEN_HOST": "127.0.0.1", "GATEWAY_HOST": "127.0.0.1",
        ]
        try await RunningProcess.run("accounts", ["migrate"], environment: environment)
        async let gateway = RunningProcess.start("gateway", ["serve"], environment: environment)
        let stack = RunningStack(
            postgres: postgres, redis: redis, gateway: try await gateway,
            client: Client(origin: "http://127.0.0.1:\(gatewayPort)"), gatewayMetricsPort: metricsPort,
            database: database, folder: folder, accountsPorts: ports, environment: environment)
        for port in ports { try await stack.startAccounts(port: port) }
        try await stack.gateway.waitUntilReady("http://127.0.0.1:\(gatewayPort)/health/ready")
        return stack
    }

    private init(
        postgres: TestPostgres, redis: TestRedis, gateway: RunningProcess, client: Client, gatewayMetricsPort: Int,
        database: String, folder: URL, accountsPorts: [Int], environment: [String: String]
    ) {
        self.postgres = postgres
        self.redis = redis
        self.gateway = gateway
        self.client = client
        self.gatewayMetricsPort = gatewayMetricsPort
        self.database = database
        self.folder = folder
        self.accountsPorts = accountsPorts
        self.environment = environment
    }

    /// The replicas of accounts that were started last, in the order of their ports.
    var accounts: [RunningProcess] { replicas.withLock { $0 } }

    /// Starts accounts on the port of a replica that has ended, or for the first time.
    func startAccounts(port: Int? = nil) async throws {
        let ended = accounts.firstIndex { !$0.isRunning }
        let port = port ?? accountsPorts[ended ?? 0]
        let settings = environment.merging(
            ["ACCOUNTS_PORT": "\(port)", "ACCOUNTS_METRICS_PORT": "0"], uniquingKeysWith: { $1 })
        let process = try await RunningProcess.start(
            "accounts", ["serve"], environment: settings, readyURL: "http://127.0.0.1:\(port)/health/ready")
        let before: RunningProcess? = replicas.withLock { replicas in
            guard let ended else {
                replicas.append(process)
                return nil
            }
            defer { replicas[ended] = process }
            return replicas[ended]
        }
        if let before { retired.withLock { $0.append(before.output) } }
    }

    /// Runs a command of accounts, `["staff", "grant", "…"]`.
    @discardableResult
    func accountsCommand(_ arguments: [String]) async throws -> String {
        try await RunningProcess.run("accounts", arguments, environment: environment)
    }

    /// Everything that our processes have written.
    var logs: String {
        (retired.withLock { $0 } + accounts.map(\.output) + [gateway.output]).joined(separator: "\n")
    }

    /// Ends everything, without haste for what only this test used.
    func end() async throws {
        try await gateway.kill9()
        for process in accounts where process.isRunning { try await process.kill9() }
        try await redis.kill9()
        try await postgres.kill9()
    }

    // MARK: Messages

    /// The newest code of a kind that a mail to the address holds: `verify-email` or `reset-password`.
    func mailedCode(_ kind: String, to address: String) async throws -> String {
        let link = "https://web.example/\(kind)/"
        return try await eventually("a mail with \(kind) to its reader") {
            self.messages("mail").filter { $0.lowercased().contains("to: \(address)") || $0.contains("<\(address)>") }
                .compactMap { mail in
                    // Quoted-printable may break a line within the link (RFC 2045, section 6.7).
                    let text = mail.replacingOccurrences(of: "=\r\n", with: "").replacingOccurrences(
                        of: "=\n", with: "")
                    return text.range(of: link).map { text[$0.upperBound...].prefix { $0.isLetter || $0.isNumber } }
                }.last.map(String.init)
        }
    }

    /// The newest code sent to a number.
    func textedCode(to phone: String) async throws -> String {
        try await eventually("a text message to its reader") {
            self.messages("sms").filter { $0.contains(phone) }.compactMap { message -> String? in
                guard let data = message.data(using: .utf8),
                    let body = (try? JSONSerialization.jsonObject(with: data) as? [String: Any])?["body"] as? String
                else { return nil }
                return body.split { !($0.isLetter || $0.isNumber) }
                    .last { $0.count == 6 && $0.allSatisfy { $0.isNumber || $0.isLowercase } }
                    .map(String.init)
            }.last
        }
    }

    /// The messages of a folder, the oldest first.
    func messages(_ kind: String) -> [String] {
        let folder = folder.appendingPathComponent(kind)
        let files =
            (try? FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: [.contentModificationDateKey])) ?? []
        let written = files.filter { ["eml", "json"].contains($0.pathExtension) }.map { file in
            let values = try? file.resourceValues(forKeys: [.contentModificationDateKey])
            return (file, values?.contentModificationDate ?? .distantPast)
        }
        return written.sorted { $0.1 < $1.1 }.compactMap { try? String(contentsOf: $0.0, encoding: .utf8) }
    }
}

extension TestPostgres {
    /// Runs a file of this package as an installation's administrator would.
    func asAdministrator(file: String, variables: [String: String], database: String) async throws {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let settings = variables.map { "--set=\($0.key)=\($0.value)" }
        try await run(
            ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=\(uri(database: database))"]
                + settings
                + ["--file=\(package.appendingPathComponent(file).path)"])
    }
}
