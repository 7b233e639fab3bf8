import NIOCore

/// Commands in the order they were sent, each with the time by which it must be answered. Pure: time comes in, actions go out.
///
/// All have the same timeout, so the first is always the next to expire and one timer is enough for all.
struct CommandQueue<Element> {
    struct Entry {
        /// Names the command for `cancel`; 0 for one that can't be cancelled.
        var id: UInt64
        var deadline: NIODeadline
        /// nil once its task was cancelled: the answer is still to come and is thrown away.
        var element: Element?
    }

    enum TimerAction: Equatable {
        /// Nothing waits.
        case disarm
        case rearm(NIODeadline)
        /// The first `count` are past their time.
        case expired(count: Int)
    }

    private var entries = CircularBuffer<Entry>()
    private var lateTimer = false
    let capacity: Int
    let timeout: TimeAmount

    /// A timer that fires this much late tells that the loop stood still, not that the server did: what has arrived
    /// meanwhile is read first.
    static var lateness: TimeAmount { .milliseconds(50) }
    static var grace: TimeAmount { .milliseconds(20) }

    init(capacity: Int, timeout: TimeAmount) {
        self.capacity = capacity
        self.timeout = timeout
    }

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool { entries.count >= capacity }
    var firstDeadline: NIODeadline? { entries.first?.deadline }

    /// - Returns: false, and takes nothing, when `capacity` commands already wait.
    mutating func append(_ element: Element?, id: UInt64, now: NIODeadline) -> Bool {
        guard !isFull else { return false }
        entries.append(Entry(id: id, deadline: now + timeout, element: element))
        return true
    }

    /// The command that the next answer belongs to; nil when none was asked for.
    mutating func popFirst() -> Entry? {
        entries.popFirst()
    }

    /// The command stays in line, because its answer will come; only nobody waits for it any more.
    mutating func cancel(id: UInt64) -> Element? {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { return nil }
        let element = entries[index].element
        entries[index].element = nil
        return element
    }

    mutating func removeAll() -> CircularBuffer<Entry> {
        let all = entries
        entries = CircularBuffer<Entry>()
        return all
    }

    /// - Parameter due: the time the timer was set to.
    mutating func timerFired(due: NIODeadline, now: NIODeadline) -> TimerAction {
        guard let first = entries.first else {
            lateTimer = false
            return .disarm
        }
        guard first.deadline <= now else {
            lateTimer = false
            return .rearm(first.deadline)
        }
        if !lateTimer, now - due > Self.lateness {
            lateTimer = true
            return .rearm(now + Self.grace)
        }
        lateTimer = false
        return .expired(count: entries.prefix { $0.deadline <= now }.count)
    }
}
