import Hummingbird
import Identity
import Logging
import NIOCore
import ServiceKit
import ServiceLifecycle
import Synchronization
import Testing

/// What was logged.
final class LogLines: Sendable {
    let writer: LogWriter

    init() {
        let box = Box()
        self.box = box
        self.writer = LogWriter { chunk in box.bytes.withLock { $0.append(contentsOf: chunk) } }
    }

    private final class Box: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }
    private let box: Box

    var text: String {
        writer.flush()
        return String(decoding: box.bytes.withLock { $0 }, as: UTF8.self)
    }

    var lines: [String] { text.split(separator: "\n").map(String.init) }
}

/// A service in this process, on a port of its own.
struct TestService: Sendable {
    static let seal = IdentitySeal(testSecret)
    static var testSecret: SecretKey {
        guard let key = try? SecretKey(String(repeating: "k", count: 32)) else { preconditionFailure() }
        return key
    }

    let port: Int
    let group: ServiceGroup
    let log: LogLines
    let registry: PrometheusRegistry

    static func with(
        _ routes: [Route], checks: [Health.Check] = [], services: [any Service] = [],
        drainDelay: Duration = .milliseconds(1), shutdownLimit: Duration = .seconds(10),
        idleTimeout: Duration = .seconds(90), executor: (any TaskExecutor)? = nil,
        _ body: (TestService) async throws -> Void
    ) async throws {
        let log = LogLines()
        let registry = PrometheusRegistry()
        let logger = Logger(label: "test") { _ in JSONLogHandler(label: "test", level: .info, writer: log.writer) }
        var configuration = ServiceRunner.Configuration(name: "test", port: 0, metricsPort: 0)
        configuration.host = "127.0.0.1"
        configuration.drainDelay = drainDelay
        configuration.shutdownLimit = shutdownLimit
        configuration.idleTimeout = idleTimeout
        let (ports, found) = AsyncStream<Int>.makeStream()
        var runner = ServiceRunner(
            configuration, table: RouteTable(routes), seal: seal, checks: checks, services: services,
            registry: registry, log: log.writer, logger: logger, onListening: { found.yield($0) })
        runner.executor = executor
        let group = runner.group(endingOn: [])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { found.finish() }
                try await group.run()
            }
            var iterator = ports.makeAsyncIterator()
            guard let port = await iterator.next() else {
                try await tasks.next()
                return
            }
            do {
                try await body(TestService(port: port, group: group, log: log, registry: registry))
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.next()
        }
    }

    /// The text of a request, signed.
    static func request(
        _ method: String, _ path: String, as claims: Claims? = .anonymous, fields: [String] = [], body: String? = nil
    ) -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "host: test"] + fields
        if let claims {
            let now = WallClock.seconds
            lines.append("\(Claims.headerName): \(seal.sign(claims, method: method, path: path, now: now))")
        }
        if let body {
            lines.append("content-length: \(body.utf8.count)")
            if !fields.contains(where: { $0.lowercased().hasPrefix("content-type") }) {
                lines.append("content-type: application/json")
            }
        }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
    }

    /// Sends one request on a connection of its own.
    func send(
        _ method: String, _ path: String, as claims: Claims? = .anonymous, fields: [String] = [], body: String? = nil
    ) async throws -> WireAnswer {
        try await send(Self.request(method, path, as: claims, fields: fields, body: body), isHead: method == "HEAD")
    }

    func send(_ text: String, isHead: Bool = false) async throws -> WireAnswer {
        let wire = try await Wire(port: port)
        try await wire.send(text)
        return try #require(try await wire.answer(toHead: isHead))
    }
}

/// Checks the form that every problem has.
func expectProblem(
    _ answer: WireAnswer, _ code: ProblemCode, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    #expect(answer.status == code.status, "\(answer.text)", sourceLocation: sourceLocation)
    #expect(answer["content-type"] == "application/problem+json", sourceLocation: sourceLocation)
    let json = try answer.json()
    #expect(json["code"] as? String == code.rawValue, "\(answer.text)", sourceLocation: sourceLocation)
    #expect(json["status"] as? Int == code.status, sourceLocation: sourceLocation)
    #expect(json["title"] as? String == code.title, sourceLocation: sourceLocation)
    #expect(json["type"] as? String == "about:blank", sourceLocation: sourceLocation)
    #expect((json["detail"] as? String)?.isEmpty == false, sourceLocation: sourceLocation)
    #expect(json["request_id"] as? String == answer["x-request-id"], sourceLocation: sourceLocation)
    #expect((json["errors"] != nil) == (code == .invalid), sourceLocation: sourceLocation)
}
