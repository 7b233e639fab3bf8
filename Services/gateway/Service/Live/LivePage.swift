import NIOCore
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A service's answer to `GET /internal/v1/events?after=<position>&limit=<n>`.
struct LivePage {
    /// The last position given.
    var head: Int64
    /// The oldest position that is kept; `head + 1` when none is.
    var oldest: Int64
    /// Whether what came right after the position asked for is not kept any more.
    var isPruned: Bool
    /// The id of the event at the position asked for, while it is kept.
    var last: UUID?
    /// Without a gap from the position asked for on; nil is one that can't be read.
    var events: [LiveEvent?]

    init(head: Int64, oldest: Int64, isPruned: Bool = false, last: UUID? = nil, events: [LiveEvent?] = []) {
        self.head = head
        self.oldest = oldest
        self.isPruned = isPruned
        self.last = last
        self.events = events
    }

    /// - Parameter after: what was asked for.
    init?(_ body: ByteBuffer, source: ServiceName, after: Int64) {
        guard let members = try? JSONParser.object(body), case .integer(let head)? = members["head"],
            case .integer(let oldest)? = members["oldest"], case .bool(let isPruned)? = members["pruned"],
            case .array(let list)? = members["events"], head >= 0, oldest > 0, oldest - 1 <= head,
            // So that no addition below overflows.
            list.isEmpty || after < head
        else { return nil }
        self.head = head
        self.oldest = oldest
        self.isPruned = isPruned
        if case .string(let text)? = members["last"] { last = UUID(uuidString: text) }
        events = []
        for (index, envelope) in list.enumerated() {
            let event = LiveEvent(envelope, source: source)
            // One that claims another place than it has can't be trusted with anything.
            events.append(event?.position == after + 1 + Int64(index) ? event : nil)
        }
    }
}
