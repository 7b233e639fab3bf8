import AccountsDomain
import Events
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An event lacks what it was promised to hold, or has it in another form.
struct UnreadableEvent: Error, CustomStringConvertible {
    var type: String
    var member: String

    var description: String { "\(type): data.\(member) is missing or not what it should be" }
}

extension Occasion {
    /// The types of events that are occasions, by their source.
    static let types = [
        "heroes": ["hero.applied", "hero.accepted", "hero.declined"],
        "calls": [
            "call.requested", "call.accepted", "call.declined", "call.times_suggested", "call.time_agreed",
            "call.reminder_due",
        ],
    ]

    /// - Returns: nil for an event of another type.
    /// - Throws: ``UnreadableEvent``. Members that are not read here may be there or not.
    init?(_ event: Event) throws {
        let data = EventData(event)
        switch event.type {
        case "hero.applied": self = .heroApplied(try data.hero())
        case "hero.accepted": self = .heroAccepted(try data.hero())
        case "hero.declined": self = .heroDeclined(try data.hero())
        case "call.requested": self = .callRequested(try data.call())
        case "call.accepted":
            self = .callAccepted(try data.call(), by: try data.user("by"), times: try data.instants("times"))
        case "call.declined": self = .callDeclined(try data.call(), reason: try data.text("reason"))
        case "call.times_suggested":
            self = .timesSuggested(try data.call(), by: try data.user("by"), times: try data.instants("times"))
        case "call.time_agreed": self = .timeAgreed(try data.call(), time: try data.instant("agreed_time"))
        case "call.reminder_due": self = .reminderDue(try data.call(), time: try data.instant("agreed_time"))
        default: return nil
        }
    }
}

/// Reads the members of an event's data.
private struct EventData {
    let event: Event

    init(_ event: Event) {
        self.event = event
    }

    func hero() throws(UnreadableEvent) -> Occasion.HeroFacts {
        Occasion.HeroFacts(
            id: try integer("id"), owner: try user("user"), title: try text("title"),
            discipline: try text("discipline"))
    }

    func call() throws(UnreadableEvent) -> Occasion.CallFacts {
        Occasion.CallFacts(
            id: try integer("id"), caller: try user("user"), hero: try user("hero_user"),
            minutes: try integer("estimated_length"))
    }

    func text(_ member: String) throws(UnreadableEvent) -> String {
        guard case .string(let text)? = event.data[member] else { throw unreadable(member) }
        return text
    }

    func integer(_ member: String) throws(UnreadableEvent) -> Int64 {
        guard case .integer(let number)? = event.data[member] else { throw unreadable(member) }
        return number
    }

    func user(_ member: String) throws(UnreadableEvent) -> UUID {
        guard let id = UUID(uuidString: try text(member)) else { throw unreadable(member) }
        return id
    }

    func instant(_ member: String) throws(UnreadableEvent) -> Instant {
        guard let instant = Self.instant(event.data[member]) else { throw unreadable(member) }
        return instant
    }

    func instants(_ member: String) throws(UnreadableEvent) -> [Instant] {
        guard case .array(let elements)? = event.data[member] else { throw unreadable(member) }
        let instants = elements.compactMap(Self.instant)
        guard instants.count == elements.count, !instants.isEmpty else { throw unreadable(member) }
        return instants
    }

    private static func instant(_ value: JSONValue?) -> Instant? {
        guard case .string(let text)? = value else { return nil }
        return RFC3339.microseconds(text).map(Instant.init(microseconds:))
    }

    private func unreadable(_ member: String) -> UnreadableEvent {
        UnreadableEvent(type: event.type, member: member)
    }
}
