import NIOCore
import NIOPosix
import NIOSSL

extension RedisConnection {
    /// Connects, authenticates, selects the database and learns which server it is. The connection counts only then.
    /// - Parameters:
    ///   - tls: made once, because it reads the system's certificates.
    ///   - channels: subscribed last, when everything else is settled.
    ///   - started: gets the connection at once, to give up the attempt by closing it.
    static func connect(
        _ configuration: RedisConfiguration, tls: NIOSSLContext?, eventLoop: any EventLoop, metrics: RedisMetrics,
        channels: [String],
        started: (RedisConnection) -> Void, onMessage: ((ByteBuffer, RESPValue) -> Void)?
    ) -> EventLoopFuture<RedisConnection> {
        let connection = RedisConnection(configuration, eventLoop: eventLoop, metrics: metrics)
        connection.onMessage = onMessage
        started(connection)
        let deadline = eventLoop.scheduleTask(in: configuration.connectTimeout) {
            connection.close(RedisError(.timedOut, "connecting"))
        }
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(tlsHandler(tls, host: configuration.host))
                    }
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
            .connect(host: configuration.host, port: configuration.port)
            .flatMap { channel in
                // The deadline passed while the name was resolved or the connection made.
                guard !connection.isClosed else {
                    channel.close(promise: nil)
                    return eventLoop.makeFailedFuture(RedisError(.timedOut, "connecting"))
                }
                return connection.handshake(configuration, channels: channels)
            }
            .map { connection }
            .always { result in
                deadline.cancel()
                if case .failure(let error) = result {
                    connection.close(error as? RedisError ?? RedisError(.connectionLost, String(describing: error)))
                }
            }
    }

    private static func tlsHandler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        // SNI takes no addresses (RFC 6066 section 3).
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }

    private func handshake(_ configuration: RedisConfiguration, channels: [String]) -> EventLoopFuture<Void> {
        var steps: [EventLoopFuture<RESPValue>] = []
        if let password = configuration.password {
            let user: [any RedisArgument] = configuration.username.map { [$0] } ?? []
            steps.append(send(RedisCommand(["AUTH"] + user + [password])))
        }
        if configuration.database != 0 {
            steps.append(send(["SELECT", configuration.database]))
        }
        // A convenience for operators: a user who may not do that may still use Redis.
        send(["CLIENT", "SETNAME", configuration.name]).whenComplete { _ in }
        let clientID = send(["CLIENT", "ID"])
        let info = send(["INFO", "server"])
        // INFO is answered while a server still loads its data; PING is not (-LOADING).
        steps += [clientID, info, send(["PING"])]
        steps += channels.map { send(["SUBSCRIBE", $0]) }
        return EventLoopFuture.whenAllComplete(steps, on: eventLoop).flatMapThrowing { results in
            for result in results {
                _ = try result.get()
            }
        }.and(clientID.and(info)).flatMapThrowing { _, replies in
            guard let clientID = replies.0.integer, let runID = Self.runID(replies.1) else {
                throw RedisError(.protocolViolation, "INFO without run_id")
            }
            self.identify(runID: runID, clientID: clientID)
        }
    }

    /// `run_id:<40 hex digits>` of `INFO server`: another one after every restart of the server.
    private static func runID(_ info: RESPValue) -> String? {
        guard let text = info.string else { return nil }
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) where line.starts(with: "run_id:".utf8) {
            let value = line.dropFirst(7).prefix { $0 != UInt8(ascii: "\r") }
            return value.isEmpty ? nil : String(value)
        }
        return nil
    }
}
