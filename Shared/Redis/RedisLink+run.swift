import NIOCore
import ServiceLifecycle

extension RedisLink {
    /// Runs the links, which share a loop, until they are stopped: by the service group, which lets what is in flight be
    /// answered, or at once when the task is cancelled.
    static func run(_ links: [RedisLink]) async throws {
        guard let eventLoop = links.first?.eventLoop else { return }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await eventLoop.flatSubmit {
                    let ends = links.map { link in
                        let finished = eventLoop.makePromise(of: Void.self)
                        link.start(finished: finished)
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
