import NIOCore
import NIOPosix
import Synchronization
import TestKit

/// What stands in the place of a service: a listening socket, and for each request what the test says.
///
/// Checks of its health are answered for the test, and so is what the gateway asks for itself, unless the test does.
final class StubUpstream: Sendable {
    /// What becomes of the connection after a request.
    enum Next { case keep, close, reset }

    /// - Returns: whether the connection stays.
    typealias Behaviour = @Sendable (_ head: RawHead, _ connection: RawConnection) async throws -> Next

    let port: Int
    private let state: Mutex<State>
    private let behaviour: Behaviour

    private struct State {
        var listener: (any Channel)?
        var connections: [ObjectIdentifier: RawConnection] = [:]
        var accepted = 0
        var closed = 0
        var heads: [RawHead] = []
        var standing = Standing.ready
        var ledger: (@Sendable (_ after: Int64) -> String)?
        var tokens: [String: String] = [:]
        var tokensAreHeld = false
        var heldTokens = 0
    }

    /// What it says of itself.
    enum Standing { case ready, unwell, draining, silent }

    private init(port: Int, _ behaviour: @escaping Behaviour) {
        self.port = port
        self.behaviour = behaviour
        state = Mutex(State())
    }

    static func start(port: Int? = nil, _ behaviour: @escaping Behaviour) async throws -> StubUpstream {
        let stub = StubUpstream(port: try port ?? freePort(), behaviour)
        try await stub.listen()
        return stub
    }

    /// How many connections it has closed because the behaviour said so.
    var closed: Int { state.withLock { $0.closed } }

    /// Answers every request with the same text.
    static func start(port: Int? = nil, answering text: String) async throws -> StubUpstream {
        try await start(port: port) { head, connection in
            if head["content-length"] != nil || head["transfer-encoding"] != nil {
                _ = try await connection.readBody(head)
            }
            try await connection.send(answer(200, text))
            return .keep
        }
    }

    /// Listens, for the first time or again.
    func listen() async throws {
        let listener = try await ServerBootstrap(group: testLoops)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { self.accept(try RawConnection.wrap(channel)) }
            }
            .bind(host: "127.0.0.1", port: port).get()
        state.withLock { $0.listener = listener }
    }

    private func accept(_ connection: RawConnection) {
        let id = ObjectIdentifier(connection)
        state.withLock {
            $0.accepted += 1
            $0.connections[id] = connection
        }
        Task {
            await serve(connection)
            state.withLock { $0.connections[id] = nil }
        }
    }

    private func serve(_ connection: RawConnection) async {
        do {
            while let text = try await connection.readHead(within: .minutes(5)) {
                let head = RawHead(text)
                if try await answersItself(head, connection) { continue }
                state.withLock { $0.heads.append(head) }
                switch try await behaviour(head, connection) {
                case .keep: continue
                case .close:
                    await connection.close()
                    return state.withLock { $0.closed += 1 }
                case .reset: return await connection.reset()
                }
            }
        } catch {
            // The gateway has ended it, or the test is over.
        }
        await connection.close()
    }

    private func answersItself(_ head: RawHead, _ connection: RawConnection) async throws -> Bool {
        if head.target == "/health/ready" {
            switch state.withLock({ $0.standing }) {
            case .ready: try await connection.send(answer(200, #"{"status":"ok"}"#))
            case .unwell: try await connection.send(answer(503, #"{"waiting_for":["postgres"]}"#))
            case .draining: try await connection.send(answer(503, #"{"waiting_for":["draining"]}"#))
            case .silent: break
            }
            return true
        }
        if head.target.hasPrefix("/internal/v1/events?after=") {
            let after = Int64(head.target.dropFirst(26).prefix { $0.isNumber }) ?? 0
            let page = state.withLock { $0.ledger }.map { $0(after) }
            try await connection.send(page.map { answer(200, $0) } ?? answer(404, "{}"))
            return true
        }
        if head.target.hasPrefix("/internal/v1/tokens/") {
            let record = state.withLock { $0.tokens[String(head.target.dropFirst(20))] }
            if state.withLock({ $0.tokensAreHeld }) {
                state.withLock { $0.heldTokens += 1 }
                try await eventually("tokens let go") { state.withLock { !$0.tokensAreHeld } }
            }
            try await connection.send(record.map { answer(200, $0) } ?? answer(404, ""))
            return true
        }
        return false
    }

    // MARK: What the test sees and says

    /// The heads of requests that clients caused, in their order.
    var heads: [RawHead] { state.withLock { $0.heads } }

    /// Connections ever accepted.
    var accepted: Int { state.withLock { $0.accepted } }

    /// Connections that are open.
    var open: Int { state.withLock { $0.connections.count } }

    func setStanding(_ standing: Standing) { state.withLock { $0.standing = standing } }

    /// What it answers to `GET /internal/v1/events?after=`.
    func setLedger(_ ledger: @escaping @Sendable (_ after: Int64) -> String) {
        state.withLock { $0.ledger = ledger }
    }

    /// Whose a token is, as accounts would say; nil for nobody's.
    func setToken(_ hash: String, _ record: String?) { state.withLock { $0.tokens[hash] = record } }

    /// Whether questions whose a token is wait for their answer.
    func holdTokens(_ areHeld: Bool) { state.withLock { $0.tokensAreHeld = areHeld } }

    /// How many of those have waited.
    var heldTokens: Int { state.withLock { $0.heldTokens } }

    /// Accepts nothing more; connections stay.
    func stopListening() async throws {
        let listener = state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        try await listener?.close().get()
    }

    /// What a `kill -9` of its process does: everything ends at once.
    func kill() async throws {
        try await stopListening()
        await closeAll()
    }

    /// Ends all connections.
    func closeAll() async {
        for connection in state.withLock({ Array($0.connections.values) }) { await connection.close() }
    }
}

/// An answer with a length.
func answer(_ status: Int, _ body: String, _ fields: [String: String] = [:]) -> String {
    let lines = fields.map { "\($0.key): \($0.value)\r\n" }.joined()
    return "HTTP/1.1 \(status) X\r\ncontent-length: \(body.utf8.count)\r\n\(lines)\r\n\(body)"
}
