import ServiceLifecycle
import Synchronization

/// Tells the loops of one service that they are to end, each when it has finished what it is at.
final class Halt: Sendable {
    private let flag = Atomic(false)
    private let signal = Signal()

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() {
        flag.store(true, ordering: .releasing)
        signal.stop()
    }

    /// Waits for a time, no longer than until the end is told or the task is cancelled. For one task at a time.
    func pause(_ duration: Duration) async {
        await signal.wait(until: .now + duration)
    }

    /// Runs `body`, and is set when the process shuts down or the task is cancelled.
    ///
    /// - Parameter wake: wakes those who wait for something else.
    func whileRunning<Result: Sendable>(
        waking wake: @escaping @Sendable () -> Void, _ body: () async throws -> Result
    ) async rethrows -> Result {
        try await withTaskCancellationOrGracefulShutdownHandler(operation: body) {
            self.set()
            wake()
        }
    }
}
