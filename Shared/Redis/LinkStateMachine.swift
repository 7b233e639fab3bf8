import NIOCore

/// The life of a connection that comes back: when to connect, when to try again, and what becomes of commands meanwhile.
/// Pure: events and time come in, actions go out.
struct LinkStateMachine {
    enum Action: Equatable {
        case none
        case connect
        case retry(after: TimeAmount)
        /// Close the connection once the commands on it are answered.
        case drainConnection
        case closeConnection
        /// Nothing is left open.
        case finish
    }

    enum Admission: Equatable {
        case send
        /// Until the first connection, or until `windowClosed`.
        case wait
        case refuse(RedisError.Code)
    }

    private enum Phase: Equatable {
        case idle, connecting
        case up(since: NIODeadline)
        case backingOff
        /// Told to stop while an attempt or a connection was open.
        case stopping
        case stopped
    }

    private var phase = Phase.idle
    private var waits = true
    private var attempts = 0

    static let firstDelay: TimeAmount = .milliseconds(50)
    static let maxDelay: TimeAmount = .seconds(1)
    /// A connection that lived shorter than this counts as a failed attempt: a server that accepts and hangs up is not
    /// asked twenty times a second.
    static let stable: TimeAmount = .seconds(1)

    var admission: Admission {
        switch phase {
        case .up: .send
        case .idle: .wait
        case .connecting, .backingOff: waits ? .wait : .refuse(.unavailable)
        case .stopping, .stopped: .refuse(.closed)
        }
    }

    /// - Returns: `.none` when it was started before: it runs once.
    mutating func start() -> Action {
        guard phase == .idle else { return .none }
        phase = .connecting
        return .connect
    }

    /// Commands no longer wait for the first connection.
    mutating func windowClosed() {
        waits = false
    }

    mutating func connected(now: NIODeadline) -> Action {
        switch phase {
        case .connecting:
            phase = .up(since: now)
            waits = false
            return .none
        case .idle, .up, .backingOff, .stopping, .stopped:
            return .closeConnection
        }
    }

    /// An attempt failed or an open connection ended.
    /// - Parameter jitter: random, 0..<1, so that many clients don't return in step.
    mutating func disconnected(now: NIODeadline, jitter: Double) -> Action {
        switch phase {
        case .up(let since):
            if now - since >= Self.stable { attempts = 0 }
        case .connecting:
            break
        case .stopping:
            phase = .stopped
            return .finish
        case .idle, .backingOff, .stopped:
            return .none
        }
        phase = .backingOff
        defer { attempts += 1 }
        return .retry(after: Self.delay(attempt: attempts, jitter: jitter))
    }

    mutating func retryDue() -> Action {
        guard phase == .backingOff else { return .none }
        phase = .connecting
        return .connect
    }

    /// - Parameter gracefully: lets what is in flight be answered first.
    mutating func stop(gracefully: Bool) -> Action {
        switch phase {
        case .idle, .backingOff:
            phase = .stopped
            return .finish
        case .connecting:
            phase = .stopping
            return .closeConnection
        case .up:
            phase = .stopping
            return gracefully ? .drainConnection : .closeConnection
        case .stopping:
            return gracefully ? .none : .closeConnection
        case .stopped:
            return .none
        }
    }

    /// Between half and all of a delay that doubles from `firstDelay` up to `maxDelay`.
    static func delay(attempt: Int, jitter: Double) -> TimeAmount {
        let full = min(firstDelay.nanoseconds << Int64(min(attempt, 20)), maxDelay.nanoseconds)
        return .nanoseconds(full / 2 + Int64(Double(full / 2) * jitter))
    }
}
