import NIOCore
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a ledger answers to `GET /internal/v1/events?after=<position>&limit=<n>`.
///
/// ```json
/// {"head": 7, "oldest": 3, "pruned": false, "last": "<id of the event at `after`, or null>", "events": [<envelopes>]}
/// ```
///
/// - `head`: the last position given.
/// - `oldest`: the oldest position that is kept; `head + 1` when none is.
/// - `pruned`: what came right after `after` is not kept any more. `events` is empty then, and a reader that can't do
///   without them fills itself anew from a snapshot.
/// - `last`: who read another event at that position reads from a ledger that was reset since.
/// - `events`: without a gap from `after + 1` on, as many as fit. Fewer than asked for does not mean that these were
///   the last: compare with `head`.
public struct EventPage: Sendable {
    /// An event, or what stands in the place of one.
    public enum Entry: Sendable, Equatable {
        case event(Event)
        /// It can't be read. Its position follows from those around it.
        case unreadable(position: Int64, content: JSONValue, EnvelopeFault)

        /// Its place among all events of its source.
        public var position: Int64 {
            switch self {
            case .event(let event): event.position
            case .unreadable(let position, _, _): position
            }
        }

        /// When it happened, if it can be read.
        var time: Timestamp? {
            if case .event(let event) = self { event.time } else { nil }
        }
    }

    /// The last position given.
    public var head: Int64
    /// The oldest position that is kept; `head + 1` when none is.
    public var oldest: Int64
    /// What came right after `after` is not kept any more.
    public var isPruned: Bool
    /// The id of the event at `after`, when it is still kept.
    public var last: UUID?
    /// Without a gap from `after + 1` on.
    public var entries: [Entry]

    /// Those that can be read.
    public var events: [Event] {
        entries.compactMap { if case .event(let event) = $0 { event } else { nil } }
    }

    init(head: Int64, oldest: Int64, entries: [Entry]) {
        self.head = head
        self.oldest = oldest
        self.isPruned = false
        self.entries = entries
    }

    /// Reads an answer.
    ///
    /// - Parameters:
    ///   - body: the body of an answer with status 200.
    ///   - after: what was asked for.
    /// - Throws: ``EnvelopeFault`` when the page itself is not what it should be. One bad event is no reason: it is an
    ///   entry that is unreadable.
    public init(decoding body: ByteBuffer, after: Int64) throws(EnvelopeFault) {
        let members: [String: JSONValue]
        do throws(JSONParseError) { members = try JSONParser.object(body) } catch {
            throw error == .tooDeep ? .tooDeep : EnvelopeFault(attribute: "page")
        }
        guard case .integer(let head)? = members["head"], case .integer(let oldest)? = members["oldest"],
            case .bool(let isPruned)? = members["pruned"], case .array(let list)? = members["events"], oldest > 0,
            head >= oldest - 1
        else { throw EnvelopeFault(attribute: "page") }
        self.head = head
        self.oldest = oldest
        self.isPruned = isPruned
        if case .string(let text)? = members["last"] { last = UUID(uuidString: text) }
        entries = []
        entries.reserveCapacity(list.count)
        var position = after
        for value in list {
            let (next, overflow) = position.addingReportingOverflow(1)
            if overflow { throw EnvelopeFault(attribute: "page") }
            position = next
            do throws(EnvelopeFault) {
                let event = try Event(value)
                guard event.position == position else { throw EnvelopeFault(attribute: "position") }
                entries.append(.event(event))
            } catch {
                entries.append(.unreadable(position: position, content: value, error))
            }
        }
    }
}
