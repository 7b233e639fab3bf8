import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The latest events of one service, for whoever comes back and asks what happened meanwhile. Bounded. Pure.
struct LiveReplay {
    /// What came after this position can be told. Nil: nothing is known of the service yet.
    private(set) var floor: Int64?
    /// Everything through here has been told to those who listen.
    private(set) var position: Int64 = 0
    /// Where the service was when the feed began: what lies before it is the past for whoever comes without a past.
    private(set) var origin: Int64 = 0
    private var events = CircularBuffer<LiveEvent>()
    private var bytes = 0
    private let maximumEvents: Int
    private let maximumBytes: Int

    init(maximumEvents: Int, maximumBytes: Int = 1024 * 1024) {
        self.maximumEvents = maximumEvents
        self.maximumBytes = maximumBytes
    }

    /// Where somebody begins who knows nothing yet.
    var present: Int64 { max(position, origin) }

    mutating func restart(floor: Int64, head: Int64) {
        self.floor = floor
        position = floor
        origin = head
        events.removeAll()
        bytes = 0
    }

    mutating func append(_ event: LiveEvent) {
        position = event.position
        // What nobody may be told needs no keeping.
        guard !event.recipients.isEmpty else { return }
        events.append(event)
        bytes += event.text.readableBytes
        while events.count > maximumEvents || bytes > maximumBytes, let oldest = events.popFirst() {
            bytes -= oldest.text.readableBytes
            floor = oldest.position
        }
    }

    /// What was in between can't be read.
    mutating func advance(to position: Int64) {
        self.position = max(self.position, position)
    }

    /// The next event after a position that is meant for a user.
    func next(after position: Int64, for user: UUID) -> LiveEvent? {
        var low = events.startIndex
        var count = events.count
        // Positions are in order: halve until the first that lies beyond.
        while count > 0 {
            let half = count / 2
            let middle = events.index(low, offsetBy: half)
            if events[middle].position <= position {
                low = events.index(after: middle)
                count -= half + 1
            } else {
                count = half
            }
        }
        return events[low...].first { $0.recipients.contains(user) }
    }
}
