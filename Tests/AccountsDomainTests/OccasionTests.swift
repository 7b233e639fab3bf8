import Foundation
import Testing

@testable import AccountsDomain

@Suite("Who is told of what")
struct OccasionTests {
    static let caller = UUID()
    static let hero = UUID()
    static let time = Instant(microseconds: 1_800_000_000_000_000)
    static let facts = Occasion.HeroFacts(id: 7, owner: hero, title: "Swift", discipline: "BE")
    static let call = Occasion.CallFacts(id: 9, caller: caller, hero: hero, minutes: 15)

    /// The contract's table of notifications.
    static let table: [(Occasion, [Notice])] = [
        (.heroApplied(facts), [Notice(.staff)]),
        (.heroAccepted(facts), [Notice(.user(hero))]),
        (.heroDeclined(facts), [Notice(.user(hero))]),
        (.callRequested(call), [Notice(.user(hero))]),
        (.callAccepted(call, by: hero, times: [time]), [Notice(.user(caller))]),
        (.callDeclined(call, reason: "No."), [Notice(.user(caller))]),
        (.timesSuggested(call, by: hero, times: [time]), [Notice(.user(caller))]),
        (.timesSuggested(call, by: caller, times: [time]), [Notice(.user(hero))]),
        (.timeAgreed(call, time: time), [Notice(.user(caller)), Notice(.user(hero))]),
        (
            .reminderDue(call, time: time),
            [
                Notice(.user(caller), .sms), Notice(.user(caller), .mail, isEssential: false),
                Notice(.user(hero), .sms), Notice(.user(hero), .mail, isEssential: false),
            ]
        ),
    ]

    @Test("As the table says", arguments: table)
    func notices(occasion: Occasion, expected: [Notice]) {
        #expect(occasion.notices == expected)
    }

    @Test("What isn't essential goes to those who want it, an SMS to those with a number")
    func reach() {
        let mail = Notice(.staff)
        let optional = Notice(.staff, isEssential: false)
        let sms = Notice(.staff, .sms)
        for (hasPhone, wants) in [(false, false), (false, true), (true, false), (true, true)] {
            #expect(mail.reaches(hasPhone: hasPhone, wantsNotifications: wants))
            #expect(optional.reaches(hasPhone: hasPhone, wantsNotifications: wants) == wants)
            #expect(sms.reaches(hasPhone: hasPhone, wantsNotifications: wants) == hasPhone)
        }
    }

    @Test("A message tells of the other party, and only a reminder comes too late")
    func others() {
        #expect(Occasion.heroApplied(Self.facts).other(than: Self.caller) == Self.hero)
        #expect(Occasion.heroAccepted(Self.facts).other(than: Self.hero) == nil)
        for (occasion, _) in Self.table.dropFirst(3) {
            #expect(occasion.other(than: Self.hero) == Self.caller && occasion.other(than: Self.caller) == Self.hero)
        }
        for (occasion, _) in Self.table {
            if case .reminderDue = occasion {
                #expect(occasion.notAfter == Self.time)
            } else {
                #expect(occasion.notAfter == nil)
            }
        }
    }
}
