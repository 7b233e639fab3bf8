import CallsDomain
import ServiceKit

extension Problem {
    static let noSuchRequest = Problem(.notFound, "There is no call request with this id.")

    /// What a client is told of a rule that was broken.
    init(_ violation: CallRuleViolation) {
        switch violation {
        case .notTheHeroAsked: self.init(.permissionDenied, "Only the hero who was asked may do this.")
        case .notAParty: self.init(.permissionDenied, "Only the two parties of a call request may do this.")
        case .invalidState(let why): self.init(.invalidState, why)
        case .alreadySuggested: self.init(.conflict, "One of these times was already suggested on this request.")
        case .invalid(let faults):
            var fields = Fields([:])
            fields.note(faults)
            do throws(Problem) {
                try fields.finish()
                self.init(.invalid)
            } catch {
                self = error
            }
        }
    }

    /// Runs what obeys the rules of the domain.
    ///
    /// - Throws: the `Problem` of the rule that was broken.
    static func ofRules<Value>(_ body: () throws(CallRuleViolation) -> Value) throws(Problem) -> Value {
        do {
            return try body()
        } catch {
            throw Problem(error)
        }
    }
}

extension Fields {
    /// Notes what the domain finds wrong.
    mutating func note(_ faults: [FieldFault]) {
        for fault in faults { note(fault.field, fault.message) }
    }
}
