import Foundation
import Synchronization
import TestKit

/// A whole installation of its own: Postgres, Redis and the executables of this build, as production runs them.
final class RunningStack: Sendable {
    /// The services behind the gateway.
    enum Service: String, CaseIterable {
        case accounts, heroes, calls
    }

    let postgres: TestPostgres
    let redis: TestRedis
    let gateway: RunningProcess
    let client: Client
    let gatewayMetricsPort: Int
    let database: String
    /// Where captured mail and SMS are.
    let folder: URL

    private let ports: [Service: [Int]]
    private let environments: [Service: [String: String]]
    /// By service, in the order of their ports: those that were started last.
    private let running = Mutex<[Service: [RunningProcess]]>([:])
    private let retired = Mutex<[String]>([])
    /// Where the replica of each service that was started last has its metrics.
    private let metricsPorts = Mutex<[Service: Int]>([:])

    /// - Parameters:
    ///   - counts: of replicas; one of a service that is not mentioned.
    ///   - settings: for all processes, beside the usual ones.
    static func start(
        _ counts: [Service: Int] = [:], redisOptions: [String] = [], settings: [String: String] = [:]
    ) async throws -> RunningStack {
        let postgres = try await TestPostgres.start()
        let redis = try await TestRedis.start(options: redisOptions)
        let folder = try await temporaryFolder("messages")
        let database = try await postgres.database()
        var ports: [Service: [Int]] = [:]
        for service in Service.allCases {
            ports[service] = try (0..<(counts[service] ?? 1)).map { _ in try freePort() }
        }
        let (gatewayPort, metricsPort) = (try freePort(), try freePort())
        var common = [
            "REDIS_URL": redis.url, "SECRET_KEY": UUID().uuidString + UUID().uuidString,
            "PUBLIC_URL": "http://127.0.0.1:\(gatewayPort)", "WEB_DOMAIN": "web.example",
            "MAIL_URL": "file:\(folder.path)/mail", "SMS_URL": "file:\(folder.path)/sms", "RATE_LIMIT_ENABLED": "false",
            "GATEWAY_PORT": "\(gatewayPort)", "GATEWAY_METRICS_PORT": "\(metricsPort)",
            "LISTEN_HOST": "127.0.0.1", "GATEWAY_HOST": "127.0.0.1",
        ]
        for (service, ports) in ports {
            common["\(service.rawValue.uppercased())_URL"] = ports.map { "http://127.0.0.1:\($0)" }.joined(
                separator: ",")
        }
        common.merge(settings) { $1 }
        var environments: [Service: [String: String]] = [:]
        for service in Service.allCases {
            environments[service] = common
            environments[service]?["DATABASE_URL"] = try await role(service, postgres, database, folder)
        }
        async let gateway = RunningProcess.start("gateway", ["serve"], environment: common)
        let stack = RunningStack(
            postgres: postgres, redis: redis, gateway: try await gateway,
            client: Client(origin: "http://127.0.0.1:\(gatewayPort)"), gatewayMetricsPort: metricsPort,
            database: database, folder: folder, ports: ports, environments: environments)
        for service in Service.allCases {
            try await stack.prepare(service, ["migrate"])
            for port in ports[service] ?? [] { try await stack.start(service, port: port) }
        }
        try await stack.gateway.waitUntilReady("http://127.0.0.1:\(gatewayPort)/health/ready")
        return stack
    }

    /// A service's role with its schema, made as an installation makes them.
    private static func role(
        _ service: Service, _ postgres: TestPostgres, _ database: String, _ folder: URL
    ) async throws -> String {
        let password = UUID().uuidString
        let file = folder.appendingPathComponent("\(service.rawValue)-password")
        try Data(password.utf8).write(to: file)
        try await postgres.asAdministrator(
            file: "Deploy/role.sql", variables: ["service": service.rawValue, "file": file.path], database: database)
        return postgres.uri(database: database, user: service.rawValue, password: password)
    }

    private init(
        postgres: TestPostgres, redis: TestRedis, gateway: RunningProcess, client: Client, gatewayMetricsPort: Int,
        database: String, folder: URL, ports: [Service: [Int]], environments: [Service: [String: String]]
    ) {
        self.postgres = postgres
        self.redis = redis
        self.gateway = gateway
        self.client = client
        self.gatewayMetricsPort = gatewayMetricsPort
        self.database = database
        self.folder = folder
        self.ports = ports
        self.environments = environments
    }

    // MARK: Processes

    /// The replicas of a service that were started last, in the order of their ports.
    func replicas(of service: Service) -> [RunningProcess] { running.withLock { $0[service] ?? [] } }

    /// The replicas of accounts.
    var accounts: [RunningProcess] { replicas(of: .accounts) }

    /// Starts a service on the port of a replica that has ended, or for the first time.
    func start(_ service: Service, port: Int? = nil) async throws {
        let ended = replicas(of: service).firstIndex { !$0.isRunning }
        guard let port = port ?? ports[service]?[ended ?? 0] else { return }
        let name = service.rawValue.uppercased()
        let metricsPort = try freePort()
        let settings = (environments[service] ?? [:]).merging(
            ["\(name)_PORT": "\(port)", "\(name)_METRICS_PORT": "\(metricsPort)"], uniquingKeysWith: { $1 })
        let process = try await RunningProcess.start(
            service.rawValue, ["serve"], environment: settings, readyURL: "http://127.0.0.1:\(port)/health/ready")
        let before: RunningProcess? = running.withLock { running in
            guard let ended else {
                running[service, default: []].append(process)
                return nil
            }
            defer { running[service]?[ended] = process }
            return running[service]?[ended]
        }
        if let before { retired.withLock { $0.append(before.output) } }
        metricsPorts.withLock { $0[service] = metricsPort }
    }

    /// What a process reports, as Prometheus reads it.
    ///
    /// - Parameter service: nil is the gateway; of replicas, the one started last.
    func metrics(of service: Service?) async throws -> String {
        let port = service.map { service in metricsPorts.withLock { $0[service] ?? 0 } } ?? gatewayMetricsPort
        return try await Client(origin: "http://127.0.0.1:\(port)").ask(.GET, "/metrics").body
    }

    /// Runs a command of a service, `["staff", "grant", "…"]`.
    @discardableResult
    func command(_ service: Service, _ arguments: [String]) async throws -> String {
        let name = service.rawValue.uppercased()
        let settings = (environments[service] ?? [:]).merging(
            ["\(name)_PORT": "\(ports[service]?.first ?? 0)"], uniquingKeysWith: { $1 })
        return try await RunningProcess.run(service.rawValue, arguments, environment: settings)
    }

    /// Runs a command that may be run again, and does so while Postgres can't serve it, which a machine that stands
    /// still for a moment can bring about.
    func prepare(_ service: Service, _ arguments: [String]) async throws {
        // What fails for another reason is not tried again, so it is carried out of the polling.
        let outcome = try await eventually(within: .seconds(60), "\(service) \(arguments.joined(separator: " "))") {
            () async -> Result<Void, any Error>? in
            do {
                try await command(service, arguments)
                return .success(())
            } catch {
                let isForLater = Self.passingFaults.contains { "\(error)".contains("PostgresError(\($0)") }
                return isForLater ? nil : .failure(error)
            }
        }
        try outcome.get()
    }

    /// The codes of `PostgresError` that a command says in its log when another try is worth it.
    private static let passingFaults = ["unavailable", "poolExhausted", "timedOut", "connectionLost", "outcomeUnknown"]

    /// Adds people of the demo as `make demo-data` does, each service's by its own role.
    @discardableResult
    func demo(_ arguments: [String], without missing: Service? = nil) async throws -> String {
        var settings: [String: String] = [:]
        for service in Service.allCases where service != missing {
            settings["\(service.rawValue.uppercased())_DATABASE_URL"] = environments[service]?["DATABASE_URL"]
        }
        return try await RunningProcess.run("demo", arguments, environment: settings)
    }

    /// Runs SQL on the database of all services.
    @discardableResult
    func sql(_ text: String) async throws -> String { try await postgres.psql(text, database: database) }

    private var everything: [RunningProcess] {
        running.withLock { running in Service.allCases.flatMap { running[$0] ?? [] } } + [gateway]
    }

    /// Everything that our processes have written.
    var logs: String {
        (retired.withLock { $0 } + everything.map(\.output)).joined(separator: "\n")
    }

    /// Ends everything, without haste for what only this test used.
    func end() async throws {
        for process in everything where process.isRunning { try await process.kill9() }
        try await redis.kill9()
        try await postgres.kill9()
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
