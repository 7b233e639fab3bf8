import Foundation
import Synchronization

/// Watches whether the machine stands still: a thread of its own sleeps ten milliseconds at a time and notes how much
/// later than that it woke. It asks for next to nothing, so a machine that lets it wait lets everything wait.
final class Stillness: Sendable {
    private static let nap = Duration.milliseconds(10)

    private struct State {
        /// When it should be awake again.
        var due: ContinuousClock.Instant
        var worst = Duration.zero
        var isOver = false
    }

    private let state: Mutex<State>

    /// Watches until ``end()``.
    ///
    /// - Parameter sleep: takes ten milliseconds, or longer where a machine that stands still is wanted.
    init(sleep: @escaping @Sendable () -> Void = { Stillness.sleep() }) {
        state = Mutex(State(due: .now + Self.nap))
        Thread.detachNewThread { [self] in
            repeat { sleep() } while goesOn()
        }
    }

    /// How late it was at worst. If it should be awake by now and isn't, that counts too.
    var worst: Duration { state.withLock { max($0.worst, ContinuousClock.now - $0.due) } }

    /// Watches no more.
    ///
    /// - Returns: ``worst``.
    @discardableResult
    func end() -> Duration {
        defer { state.withLock { $0.isOver = true } }
        return worst
    }

    /// Notes how late it is now.
    private func goesOn() -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            state.worst = max(state.worst, now - state.due)
            state.due = now + Self.nap
            return !state.isOver
        }
    }

    /// Not by the clock on the wall, which may be set.
    private static func sleep() {
        var time = timespec(tv_sec: 0, tv_nsec: 10_000_000)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nil)
    }
}

/// Measures how long something takes. A machine that stood still meanwhile was measured with it: what took too long
/// then is measured anew, and the last measurement counts. One within the bound is good however the machine was.
///
/// - Parameters:
///   - bound: what it is to stay below. The caller checks that: nothing is refused here.
///   - attempts: how often at most.
///   - measurement: does it from the beginning, each time.
/// - Returns: what the measurement came to.
/// - Throws: what it throws; that is not repeated.
public func measured(
    below bound: Duration, attempts: Int = 3, isolation: isolated (any Actor)? = #isolation,
    _ measurement: () async throws -> Duration
) async throws -> Duration {
    try await measured(
        below: bound, attempts: attempts,
        watching: {
            let watch = Stillness()
            return { watch.end() }
        }, measurement)
}

/// The same beside a watch of the caller's.
///
/// - Parameter watching: begins to watch, and gives what ends that and tells how late the watch was.
func measured(
    below bound: Duration, attempts: Int, isolation: isolated (any Actor)? = #isolation,
    watching: () -> () -> Duration, _ measurement: () async throws -> Duration
) async throws -> Duration {
    // Longer than a thread that asks for next to nothing waits on a machine that is only busy.
    let standstill = Duration.milliseconds(200)
    var attempt = 1
    while true {
        let end = watching()
        let taken: Duration
        do {
            taken = try await measurement()
        } catch {
            _ = end()
            throw error
        }
        let late = end()
        guard taken >= bound, late > standstill, attempt < attempts else { return taken }
        print("measured anew: took \(taken), the machine stood still for \(late)")
        attempt += 1
    }
}
