import NIOCore
import NIOSSL
import ServiceLifecycle

extension RedisLink {
    /// Runs the links, which share a loop, until they are stopped: by the service group, which lets what is in flight be
    /// answered, or at once when the task is cancelled.
    /// - Throws: `RedisError.closed` when a link ran before; NIOSSL's error when the TLS settings can't be used.
    static func run(_ links: [RedisLink]) async throws {
        guard let link = links.first else { return }
        let eventLoop = link.eventLoop
        // Here and not on the loop: it reads files.
        let tls = try link.configuration.tls.map { try NIOSSLContext(configuration: $0) }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await eventLoop.flatSubmit {
                    let ends = links.map { link in
                        let finished = eventLoop.makePromise(of: Void.self)
                        link.start(tls: tls, finished: finished)
                        return finished.futureResult
                    }
                    return EventLoopFuture.andAllSucceed(ends, on: eventLoop)
                }.get()
            } onGracefulShutdown: {
                stop(links, gracefully: true)
            }
        } onCancel: {
            stop(links, gracefully: false)
        }
    }

    private static func stop(_ links: [RedisLink], gracefully: Bool) {
        links.first?.eventLoop.execute {
            for link in links { link.stop(gracefully: gracefully) }
        }
    }
}
