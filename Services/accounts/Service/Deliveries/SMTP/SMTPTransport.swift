import CCurl
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Sends mail by SMTP (RFC 5321) through libcurl, on threads of its own: libcurl blocks.
final class SMTPTransport: Service {
    private let server: SMTPServer
    private let format: MailText
    private let threads: NIOThreadPool
    /// Closes connections: libcurl waits two minutes for the answer to QUIT (7.88.1, "pingpong.h", `RESP_TIMEOUT`), and
    /// no option of a handle shortens that. A server that has frozen holds this thread, and no mail.
    private let closing = NIOThreadPool(numberOfThreads: 1)
    /// Connections that nobody uses at the moment, the last used last.
    private let idle = Mutex<[CurlConnection]>([])
    /// How long a connection is kept open for the next mail.
    private let idleTime: Duration
    /// How long the end waits for servers to answer QUIT.
    private let farewell: Duration

    init(
        _ server: SMTPServer, _ format: MailText, idleTime: Duration = .seconds(10), farewell: Duration = .seconds(5)
    ) {
        self.server = server
        self.format = format
        self.idleTime = idleTime
        self.farewell = farewell
        threads = NIOThreadPool(numberOfThreads: server.connections)
        threads.start()
        closing.start()
    }

    deinit {
        threads.shutdownGracefully { _ in }
        closing.shutdownGracefully { _ in }
    }

    /// As the worker wants it.
    var transport: Transport<Mail> {
        Transport(width: server.connections, longestTry: server.timeout, services: [self], send: send)
    }

    /// Closes connections that nobody needs, and at the end all. It ends after the worker: nothing is sent then.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Connections are looked at as often as they may be idle; cancelled at the end, and then closed below.
                try? await Task.sleep(for: self.idleTime)
                let limit = ContinuousClock.now - self.idleTime
                self.closing.submit { _ in self.close { $0.lastUsed <= limit } }
            }
        }
        await closeAll()
        try? await threads.shutdownGracefully()
    }

    /// Closes all connections. Where that takes longer than is waited for, the thread goes on by itself until the process
    /// ends.
    private func closeAll() async {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let end = loop.makePromise(of: Void.self)
        // Whichever is first: a promise takes no notice of the second.
        let alarm = loop.scheduleTask(in: TimeAmount(farewell)) { end.succeed() }
        closing.submit { _ in
            self.close { _ in true }
            end.succeed()
            self.closing.shutdownGracefully { _ in }
        }
        try? await end.futureResult.get()
        alarm.cancel()
    }

    /// Blocks: each server is told, and its answer waited for.
    private func close(_ isOver: (CurlConnection) -> Bool) {
        // Let go of outside the lock.
        _ = idle.withLock { idle in
            let over = idle.filter(isOver)
            idle.removeAll(where: isOver)
            return over
        }
    }

    private func send(_ mail: Mail) async throws {
        let bytes = format.bytes(of: mail)
        let outcome = try await threads.runIfActive { try self.send(bytes, to: mail.to) }
        if let failure = Self.failure(outcome) { throw failure }
    }

    private func send(_ bytes: [UInt8], to address: String) throws -> CurlConnection.Outcome {
        let known = idle.withLock { $0.popLast() }
        let connection = try known ?? CurlConnection(server, greeting: format.domain)
        let outcome = connection.send(from: format.from, to: address, bytes)
        idle.withLock { $0.append(connection) }
        return outcome
    }

    // MARK: Outcomes

    /// - Returns: nil when the server has taken the mail over.
    static func failure(_ outcome: CurlConnection.Outcome) -> DeliveryFailure? {
        if outcome.code == CURLE_OK { return nil }
        // A reply is why only where libcurl ended because of it; else it is the last one before something broke.
        let isReply = [CURLE_SEND_ERROR, CURLE_WEIRD_SERVER_REPLY, CURLE_LOGIN_DENIED, CURLE_REMOTE_ACCESS_DENIED]
            .contains(outcome.code)
        guard isReply, (400..<600).contains(outcome.reply) else {
            return DeliveryFailure(reason: "smtp: \(CurlConnection.words(outcome.code))", isPermanent: false)
        }
        let enhanced = outcome.enhanced.map { " \($0)" } ?? ""
        return DeliveryFailure(
            reason: "smtp \(outcome.reply)\(enhanced)", isPermanent: (500..<600).contains(outcome.reply))
    }
}
