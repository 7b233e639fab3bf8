import CLibpq
import Synchronization

/// How tasks, and other threads, talk to the reactor: a list under a lock, and its host, which is told when there is
/// something in it. A burst of messages costs one ring, and none while the reactor is at work anyway.
final class Mailbox: Sendable {
    private struct State {
        var messages: [Message] = []
        var isAsleep = false
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Threads that are inside libpq right now, to connect or to cancel.
    let blockedThreads = Atomic<Int>(0)
    private let host: any ReactorHost

    init(_ host: any ReactorHost) {
        self.host = host
    }

    /// - Returns: false when the reactor has ended; the message was not taken.
    @discardableResult
    func put(_ message: Message) -> Bool {
        let (taken, rings) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.messages.append(message)
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
        if rings { host.ring() }
        return taken
    }

    /// The reactor is at work and will take messages: nobody needs to ring.
    func wake() {
        state.withLock { $0.isAsleep = false }
    }

    /// Takes all messages into `messages`, which must be empty. When there are none, the next ``put(_:)`` will ring.
    func take(into messages: inout [Message]) {
        state.withLock { state in
            if state.messages.isEmpty {
                state.isAsleep = true
            } else {
                swap(&state.messages, &messages)
            }
        }
    }

    /// Nothing more is taken; what is left comes back.
    func shut() -> [Message] {
        state.withLock { state in
            state.isClosed = true
            defer { state.messages = [] }
            return state.messages
        }
    }
}

/// What the reactor can be told.
enum Message: Sendable {
    /// Connections may be opened from now on.
    case start
    case read(Request)
    case write(Request)
    /// A statement of a transaction or session.
    case statement(Lease, Request)
    /// The last one of a lease: COMMIT, ROLLBACK, or the clean-up of a session.
    case finish(Lease, Lease.Ending, Request)
    case cancel(Request)
    case copy(Lease, CopyChunk)
    case connected(ConnectAttempt.Outcome)
    case cancelRequestFinished(connection: Int)
    /// A part of a task that runs on the reactor's thread.
    case job(UnownedJob)
    /// Refuse new work, let what is under way finish, close.
    case drain(UnsafeContinuation<Void, Never>)
    /// Close at once.
    case abort(UnsafeContinuation<Void, Never>?)
}
