import Identity
import Metrics
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The streams of one event loop, and what they are told.
///
/// An event is written to a listener only while its token is known to be good: from the moment on in which a change of
/// the token is heard of, what happens waits in the replay until the token has been looked up. A client that does not
/// read waits there too, so a listener never has more than a buffer's worth of memory of its own.
final class LiveDispatcher {
    unowned let lane: Lane
    let seats: LiveSeats
    private(set) var replays: [LiveReplay]
    private(set) var listeners: [LiveListener] = []
    private var byUser: [UUID: [LiveListener]] = [:]
    private(set) var byToken: [TokenHash: [LiveListener]] = [:]
    private let ends: [LiveListener.End: Counter]
    let resets = Counter(label: "gateway_live_resets_total")

    init(lane: Lane, seats: LiveSeats) {
        self.lane = lane
        self.seats = seats
        replays = ServiceName.allCases.map { _ in LiveReplay(maximumEvents: lane.limits.live.replayEvents) }
        var ends: [LiveListener.End: Counter] = [:]
        for end in LiveListener.End.allCases {
            ends[end] = Counter(label: "gateway_live_ended_total", dimensions: [("reason", end.rawValue)])
        }
        self.ends = ends
    }

    var count: Int { listeners.count }

    var limits: LiveLimits { lane.limits.live }

    /// Through where everybody who keeps up has been told.
    var told: LiveCursor {
        var cursor = LiveCursor()
        for (source, replay) in zip(ServiceName.allCases, replays) where replay.floor != nil {
            cursor[source] = replay.position
        }
        return cursor
    }

    // MARK: Coming and going

    /// Takes a listener up and tells it what it has missed.
    ///
    /// - Parameter lastID: what the client says it was told last; nil for one that begins.
    func add(_ listener: LiveListener, lastID: String?) {
        listener.index = listeners.count
        listeners.append(listener)
        byUser[listener.user, default: []].append(listener)
        byToken[listener.hash, default: []].append(listener)
        begin(listener, lastID: lastID)
        greet(listener)
        // Known to memory means that no change has been heard of since it was looked up.
        if let tokens = lane.tokens, case .user = tokens.known(listener.token), tokens.isTrusted {
            confirm(listener, asked: told)
        } else {
            verify(listener)
        }
    }

    private func begin(_ listener: LiveListener, lastID: String?) {
        guard let lastID else {
            for (source, replay) in zip(ServiceName.allCases, replays) where replay.floor != nil {
                listener.seen[source] = replay.present
            }
            return
        }
        listener.seen = LiveCursor(lastID) ?? LiveCursor()
        for (source, replay) in zip(ServiceName.allCases, replays) { settle(listener, source, replay) }
    }

    /// A gateway may be a moment behind another one that told the client more; further off is another ledger.
    private static let maximumLead: Int64 = 1_000

    /// If a listener can't be told everything after what it has seen, it must begin anew with the present.
    func settle(_ listener: LiveListener, _ source: ServiceName, _ replay: LiveReplay) {
        guard let floor = replay.floor else { return }
        if let seen = listener.seen[source], seen >= floor, seen <= replay.present + Self.maximumLead { return }
        listener.seen[source] = replay.present
        listener.owesReset = true
    }

    func remove(_ listener: LiveListener) {
        listener.hasEnded = true
        guard listener.index < listeners.count, listeners[listener.index] === listener else { return }
        listeners.swapAt(listener.index, listeners.count - 1)
        listeners.removeLast()
        if listener.index < listeners.count { listeners[listener.index].index = listener.index }
        Self.remove(listener, from: &byUser, listener.user)
        Self.remove(listener, from: &byToken, listener.hash)
        seats.giveBack(listener.user)
    }

    private static func remove<Key>(
        _ listener: LiveListener, from lists: inout [Key: [LiveListener]], _ key: Key
    ) {
        lists[key]?.removeAll { $0 === listener }
        if lists[key]?.isEmpty == true { lists[key] = nil }
    }

    /// Ends every stream: the gateway is going away.
    func endAll() {
        for listener in listeners { end(listener, .drained) }
    }

    func end(_ listener: LiveListener, _ reason: LiveListener.End) {
        ends[reason]?.increment()
        listener.client.endStream(gracefully: reason != .slow)
    }

    // MARK: News

    func take(_ news: LiveNews) {
        switch news {
        case .restart(let source, let floor, let head):
            restart(source, floor: floor, head: head)
        case .events(let source, let events, let through):
            for event in events { tell(event) }
            replays[source.index].advance(to: through)
        }
    }

    private func restart(_ source: ServiceName, floor: Int64, head: Int64) {
        let before = told
        replays[source.index].restart(floor: floor, head: head)
        // From the back: one that is ended leaves its place to the last.
        for listener in listeners.reversed() {
            if listener.isFlowing { listener.seen = listener.seen.furthest(before) }
            if let seen = listener.seen[source], seen > head { listener.seen[source] = nil }
            settle(listener, source, replays[source.index])
            // A look at its token that is under way knows only positions of the ledger as it was.
            listener.doubts &+= 1
            if listener.isFlowing {
                listener.isFlowing = false
                pump(listener)
            } else if listener.owesReset, !listener.isConfirmed {
                verifySoon(listener)
            }
        }
    }

    private func tell(_ event: LiveEvent) {
        let audience = event.recipients.flatMap { byUser[$0] ?? [] }
        for listener in audience where listener.isFlowing { write(event, to: listener) }
        replays[event.source.index].append(event)
        // Told once the token has been looked up; while Redis is away that is needed for every event.
        for listener in audience where !listener.isConfirmed { verify(listener) }
        guard !event.revoked.isEmpty else { return }
        for listener in listeners.reversed() where event.revoked.contains(listener.tokenID) {
            end(listener, .revoked)
        }
    }
}
