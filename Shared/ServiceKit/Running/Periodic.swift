import Logging
import ServiceLifecycle

/// Does something at once and then again and again, with a pause between, until the process is told to end.
///
/// What fails is done again after the pause; it is logged once for each outage and not for each try.
public struct Periodic: Service {
    private let name: String
    private let pause: Duration
    private let logger: Logger
    private let work: @Sendable () async throws -> Void

    /// - Parameters:
    ///   - name: of the work, for the log.
    ///   - pause: between the end of one time and the next.
    ///   - work: cancelled when the process is told to end.
    public init(
        _ name: String, every pause: Duration, logger: Logger, _ work: @escaping @Sendable () async throws -> Void
    ) {
        self.name = name
        self.pause = pause
        self.logger = logger
        self.work = work
    }

    public func run() async {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                do {
                    try await work()
                    isFailing = false
                } catch {
                    if Task.isCancelled { return }
                    if !isFailing { logger.warning("\(name) waits", metadata: ["error": "\(error)"]) }
                    isFailing = true
                }
                // Ends early only when the task does.
                try? await Task.sleep(for: pause)
            }
        }
    }
}
