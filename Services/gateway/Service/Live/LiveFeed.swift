#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Puts together what is heard of one service's events and what its ledger says, so that each comes once and in order.
/// Pure: an event goes in, what is to be done comes out.
///
/// What is heard is passed on while it is the next one. If it is not, something was missed, and the ledger is asked.
struct LiveFeed {
    /// Everything through here has been passed on. Nil: the ledger has not been asked yet, or has begun anew.
    private(set) var position: Int64?
    /// The event at ``position``.
    private var last: UUID?
    /// The furthest position that was heard of.
    private var heard: Int64 = 0

    /// How many of the latest events are fetched when a feed begins: what can be replayed.
    let history: Int64
    /// Who is further behind than this begins anew instead of catching up.
    static let maximumLag: Int64 = 5_000

    init(history: Int64) {
        self.history = history
    }

    enum Heard: Equatable {
        /// To be passed on now.
        case next
        /// Passed on before.
        case known
        /// Something before it was missed.
        case ahead
    }

    mutating func hear(_ event: LiveEvent) -> Heard {
        heard = max(heard, event.position)
        guard let position else { return .ahead }
        if event.position <= position { return .known }
        guard event.position == position + 1 else { return .ahead }
        self.position = event.position
        last = event.id
        return .next
    }

    /// The position to ask the ledger about. Where nothing is known it is one beyond all, whose answer says only where
    /// the ledger's head is.
    var ask: Int64 { position ?? .max - 1 }

    /// Whether something was heard of that has not been passed on.
    var isWaiting: Bool { heard > position ?? 0 }

    /// What an answer of the ledger means.
    struct Step {
        /// The feed begins anew: what can be told is what comes after `floor`, and `head` is the present.
        var restart: (floor: Int64, head: Int64)?
        /// To be passed on, in order.
        var events: [LiveEvent] = []
        /// How many events were passed over because they can't be read.
        var unreadable = 0
        /// Whether there is more to ask for at once.
        var isBehind = false
    }

    /// - Parameter after: what was asked for.
    mutating func take(_ page: LivePage, after: Int64) -> Step {
        guard let position else { return begin(page) }
        // Another question has been answered meanwhile.
        guard after <= position else { return Step() }
        let isOther = after == position && page.last != nil && last != nil && page.last != last
        // Not `position`: what was heard since the question may lie beyond what the answer knew.
        if page.head < after || isOther || page.isPruned || page.head - position > Self.maximumLag {
            // The ledger was replaced by another one, or has left us behind.
            self.position = nil
            last = nil
            heard = 0
            return Step(isBehind: true)
        }
        var step = Step()
        for (index, event) in page.events.enumerated() {
            let place = after + 1 + Int64(index)
            guard place > (self.position ?? place) else { continue }
            self.position = place
            last = event?.id
            if let event { step.events.append(event) } else { step.unreadable += 1 }
        }
        // An empty page that says there is more would have us ask in a circle.
        step.isBehind = !page.events.isEmpty && (self.position ?? 0) < max(page.head, heard)
        return step
    }

    private mutating func begin(_ page: LivePage) -> Step {
        let floor = max(page.oldest - 1, page.head - history, 0)
        position = floor
        heard = max(heard, page.head)
        return Step(restart: (floor, page.head), isBehind: floor < page.head)
    }
}
