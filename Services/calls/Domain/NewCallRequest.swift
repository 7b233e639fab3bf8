#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What calls knows of a hero: who owns the profile, whether it may be asked, and for how much.
public struct Hero: Sendable, Hashable {
    public let id: Int64
    public let owner: UUID
    public let accepted: Bool
    /// Cents for a minute.
    public let rateInCents: Int64

    public init(id: Int64, owner: UUID, accepted: Bool, rateInCents: Int64) {
        self.id = id
        self.owner = owner
        self.accepted = accepted
        self.rateInCents = rateInCents
    }
}

/// A request that may be stored: all its rules hold.
public struct NewCallRequest: Sendable, Hashable {
    /// Unicode scalars of a message.
    public static let messageLength = 1...500
    /// Minutes that a call can be asked for.
    public static let lengths: [Int64] = stride(from: 15, through: 120, by: 15).map { $0 }

    public let requester: UUID
    public let hero: Hero
    public let message: String
    /// Minutes.
    public let estimatedLength: Int64

    /// - Parameter hero: the one asked for, nil if there is none of that id.
    /// - Throws: every fault at once, each under its field's name.
    public init(requester: UUID, hero: Hero?, message: String, estimatedLength: Int64) throws(CallRuleViolation) {
        let faults =
            Self.faults(message: message, estimatedLength: estimatedLength) + Self.faults(hero: hero, by: requester)
        guard let hero, faults.isEmpty else { throw .invalid(faults) }
        self.requester = requester
        self.hero = hero
        self.message = message
        self.estimatedLength = estimatedLength
    }

    /// What is wrong with the words of a request, each under its field's name. What is missing breaks no rule of these.
    public static func faults(message: String?, estimatedLength: Int64?) -> [FieldFault] {
        var faults: [FieldFault] = []
        if let message, !messageLength.contains(message.unicodeScalars.count) {
            faults.append(FieldFault("message", "Must have 1 to 500 characters."))
        }
        if let estimatedLength, !lengths.contains(estimatedLength) {
            faults.append(FieldFault("estimated_length", "Must be 15, 30, 45, 60, 75, 90, 105 or 120 minutes."))
        }
        return faults
    }

    /// What is wrong with the choice of a hero.
    public static func faults(hero: Hero?, by requester: UUID) -> [FieldFault] {
        guard let hero, hero.accepted else { return [FieldFault("hero_id", "There is no hero with this id.")] }
        return hero.owner == requester ? [FieldFault("hero_id", "You can't ask yourself for a call.")] : []
    }
}
