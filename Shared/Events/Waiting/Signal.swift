import Synchronization

/// Wakes one waiting task. Rings while nobody waits are kept as one, so none is lost and none piles up.
final class Signal: Sendable {
    private enum State {
        case quiet
        case rung
        case waiting(CheckedContinuation<Void, Never>)
        case stopped
    }

    private let state = Mutex(State.quiet)

    /// Wakes the waiting task, or the next one that waits.
    func ring() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            switch state {
            case .quiet, .rung: state = .rung
            case .stopped: break
            case .waiting(let continuation):
                state = .quiet
                return continuation
            }
            return nil
        }
        waiter?.resume()
    }

    /// Rings for good: from now on nobody waits.
    func stop() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            defer { state = .stopped }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
        waiter?.resume()
    }

    /// Whether ``stop()`` was called.
    var isStopped: Bool {
        state.withLock { if case .stopped = $0 { true } else { false } }
    }

    /// Returns at the next ring, at once when one was missed, and when the task is cancelled. For one task at a time.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let resumesNow = state.withLock { state -> Bool in
                    switch state {
                    case .quiet:
                        state = .waiting(continuation)
                        return false
                    case .rung:
                        state = .quiet
                        return true
                    case .stopped:
                        return true
                    case .waiting:
                        preconditionFailure("a signal is for one task")
                    }
                }
                if resumesNow { continuation.resume() }
            }
        } onCancel: {
            ring()
        }
    }

    /// Takes a ring that nobody waited for.
    private func wasRung() -> Bool {
        state.withLock { state in
            switch state {
            case .rung:
                state = .quiet
                return true
            case .stopped: return true
            case .quiet, .waiting: return false
            }
        }
    }

    /// As ``wait()``, but no longer than until an instant.
    func wait(until deadline: ContinuousClock.Instant) async {
        if wasRung() { return }
        let alarm = Task {
            // The deadline itself; cancelled when the ring comes first.
            do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
            ring()
        }
        await wait()
        alarm.cancel()
    }
}
