import NIOCore
import Synchronization

/// Messages on their way from the event loop to the consumer's task. There is room for so many; what does not fit is
/// dropped and pulled from the ledger, so memory is bounded whatever comes.
final class Arrivals: Sendable {
    struct Taken: Sendable {
        var messages: [ByteBuffer] = []
        /// Something may have been missed: it was dropped here, or the connection was new.
        var mayHaveMissed = false
        /// Whether there is a subscribed connection.
        var isSubscribed = false
    }

    private struct State {
        var taken = Taken()
        var bytes = 0
    }

    private static let mostMessages = 1024
    private static let mostBytes = 2 * 1024 * 1024

    private let state = Mutex(State())
    private let signal = Signal()

    func add(_ message: ByteBuffer) {
        state.withLock { state in
            guard state.taken.messages.count < Self.mostMessages,
                state.bytes + message.readableBytes <= Self.mostBytes
            else {
                state.taken.mayHaveMissed = true
                return
            }
            state.taken.messages.append(message)
            state.bytes += message.readableBytes
        }
        signal.ring()
    }

    func subscribed() {
        state.withLock { state in
            state.taken.isSubscribed = true
            state.taken.mayHaveMissed = true
        }
        signal.ring()
    }

    func cutOff() {
        state.withLock { $0.taken.isSubscribed = false }
        signal.ring()
    }

    func wake() {
        signal.ring()
    }

    /// Everything that has come since the last time.
    func take() -> Taken {
        state.withLock { state in
            let taken = state.taken
            state = State(taken: Taken(isSubscribed: taken.isSubscribed))
            return taken
        }
    }

    /// Waits for something to take, or to be woken.
    func wait(until deadline: ContinuousClock.Instant) async {
        await signal.wait(until: deadline)
    }
}
