import AccountsDomain
import Events
import Postgres

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Turns what happens at heroes and calls into messages: each event into rows of `accounts.deliveries`, in the
/// transaction that moves the consumer's cursor.
struct Notifications: Sendable {
    let queue: DeliveryQueue
    let now: @Sendable () -> Instant

    /// What the consumer of a service's events does with each.
    func handlers(for source: String) -> [String: EventConsumer.Handler] {
        let handler: EventConsumer.Handler = { event, transaction in
            guard let occasion = try Occasion(event) else { return }
            try await tell(occasion, event: event.id, in: transaction)
        }
        return Dictionary(uniqueKeysWithValues: (Occasion.types[source] ?? []).map { ($0, handler) })
    }

    /// Queues what is to be told of an occasion. Told again of the same event, it queues nothing more.
    func tell(_ occasion: Occasion, event: UUID, in transaction: PostgresTransaction) async throws {
        let now = now()
        let people = try await people(occasion, in: transaction)
        var messages: [(message: Message, user: UUID)] = []
        for notice in occasion.notices {
            let readers: [Person] =
                switch notice.audience {
                case .staff: people.values.filter(\.isStaff)
                case .user(let id): people[id].map { [$0] } ?? []
                }
            for reader in readers {
                guard let to = reader.destination(of: notice) else { continue }
                let message = Message(
                    kind: occasion.kind(for: notice.channel), to: to, name: reader.firstName, code: nil,
                    subject: occasion.subject(for: reader, people))
                messages.append((message, reader.id))
            }
        }
        try await queue.add(messages, event: event, notAfter: occasion.notAfter, at: now, in: transaction)
    }

    /// The users whom an occasion is about, and those whom it concerns besides.
    private func people(_ occasion: Occasion, in transaction: PostgresTransaction) async throws -> [UUID: Person] {
        let wantsStaff = occasion.notices.contains { $0.audience == .staff }
        let rows = try await transaction.execute(
            """
            SELECT id, email, first_name, last_name, phone, email_notifications, timezone, is_staff
            FROM accounts.users WHERE id = ANY(\(occasion.parties)) OR (\(wantsStaff) AND is_staff)
            """)
        let people = try rows.map(Person.init)
        return Dictionary(uniqueKeysWithValues: people.map { ($0.id, $0) })
    }
}

/// A user as a message needs them.
struct Person: Sendable, Hashable {
    var id: UUID
    var email: String
    var firstName: String
    var lastName: String
    var phone: String?
    var wantsNotifications: Bool
    var timezone: String
    var isStaff: Bool

    init(_ row: PostgresRow) throws {
        (id, email, firstName, lastName, phone, wantsNotifications, timezone, isStaff) = try row.decode(
            (UUID, String, String, String, String?, Bool, String, Bool).self)
    }

    /// The address or number to which a notice goes, or nil when it doesn't go to this user.
    func destination(of notice: Notice) -> String? {
        guard notice.reaches(hasPhone: phone != nil, wantsNotifications: wantsNotifications) else { return nil }
        return notice.channel == .mail ? email : phone
    }
}

extension Occasion {
    /// The users whom it names.
    fileprivate var parties: [UUID] {
        switch self {
        case .heroApplied(let hero), .heroAccepted(let hero), .heroDeclined(let hero): [hero.owner]
        case .callRequested(let call), .callAccepted(let call, _, _), .callDeclined(let call, _),
            .timesSuggested(let call, _, _), .timeAgreed(let call, _), .reminderDue(let call, _):
            [call.caller, call.hero]
        }
    }

    fileprivate func kind(for channel: MessageChannel) -> Message.Kind {
        switch self {
        case .heroApplied: .heroApplied
        case .heroAccepted: .heroAccepted
        case .heroDeclined: .heroDeclined
        case .callRequested: .callRequested
        case .callAccepted: .callAccepted
        case .callDeclined: .callDeclined
        case .timesSuggested: .timesSuggested
        case .timeAgreed: .timeAgreed
        case .reminderDue: channel == .sms ? .callReminderSMS : .callReminder
        }
    }

    /// What the message to a reader tells of.
    fileprivate func subject(for reader: Person, _ people: [UUID: Person]) -> Message.Subject {
        let other = other(than: reader.id).flatMap { people[$0] }
        var subject = Message.Subject(
            id: 0, other: other.map { "\($0.firstName) \($0.lastName)" }, zone: reader.timezone)
        switch self {
        case .heroApplied(let hero), .heroAccepted(let hero), .heroDeclined(let hero):
            subject.id = hero.id
            subject.title = hero.title
            subject.discipline = hero.discipline
        case .callRequested(let call): subject.tell(of: call)
        case .callAccepted(let call, _, let times), .timesSuggested(let call, _, let times):
            subject.tell(of: call)
            subject.times = times.map(\.microseconds)
        case .callDeclined(let call, let reason):
            subject.tell(of: call)
            subject.reason = reason
        case .timeAgreed(let call, let time), .reminderDue(let call, let time):
            subject.tell(of: call)
            subject.times = [time.microseconds]
        }
        return subject
    }
}

extension Message.Subject {
    fileprivate mutating func tell(of call: Occasion.CallFacts) {
        id = call.id
        minutes = call.minutes
    }
}
