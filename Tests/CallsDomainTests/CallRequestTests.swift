import CallsDomain
import Foundation
import Testing

let now = Instant(microseconds: 1_800_000_000_000_000)  // 2027-01-15T08:00:00Z, a quarter of an hour
let requester = UUID()
let hero = UUID()
let stranger = UUID()

func quarter(_ count: Int64) -> Instant { now.advanced(minutes: 15 * count) }

func times(_ first: Int64, at instant: Instant = now) throws -> SuggestedTimes {
    try SuggestedTimes(one: quarter(first), two: quarter(first + 1), three: quarter(first + 2), now: instant)
}

func asked() -> CallRequest { CallRequest(requester: requester, heroOwner: hero, estimatedLength: 30) }

func accepted() throws -> CallRequest {
    var request = asked()
    try request.accept(by: hero, times: times(2), now: now)
    return request
}

@Suite struct SuggestedTimesTests {
    @Test func halfAnHourAheadIsEnough() throws {
        #expect(try times(2).all == [quarter(2), quarter(3), quarter(4)])
    }

    @Test func everyFaultIsNamedAtOnceUnderItsField() {
        let odd = Instant(microseconds: quarter(9).microseconds + 1)
        #expect(
            throws: CallRuleViolation.invalid([
                FieldFault("time_one", "Must be at least 30 minutes ahead."),
                FieldFault("time_two", "Must be on a quarter of an hour, with no seconds."),
                FieldFault("time_three", "Must be on a quarter of an hour, with no seconds."),
                FieldFault("time_three", "Must differ from the other times."),
            ])
        ) { try SuggestedTimes(one: quarter(1), two: odd, three: odd, now: now) }
    }

    @Test func timesAtTheEndsOfTimeDoNotTrap() {
        let first = Instant(microseconds: .min)
        let last = Instant(microseconds: .max)
        #expect(throws: CallRuleViolation.self) { try SuggestedTimes(one: first, two: last, three: now, now: now) }
        #expect(last.advanced(minutes: 120) == last)
        #expect(first.advanced(minutes: -1) == first)
    }
}

@Suite struct NewCallRequestTests {
    let someone = Hero(id: 1, owner: hero, accepted: true, rateInCents: 100)

    @Test func aMessageIsCountedInScalars() throws {
        let flag = "🏴󠁧󠁢󠁳󠁣󠁴󠁿"  // one character, seven scalars
        let fits = String(repeating: flag, count: 71) + "abc"
        #expect(
            try NewCallRequest(requester: requester, hero: someone, message: fits, estimatedLength: 15).message == fits)
        #expect(throws: CallRuleViolation.self) {
            try NewCallRequest(requester: requester, hero: someone, message: fits + "d", estimatedLength: 15)
        }
    }

    @Test(arguments: [0, 14, 16, 121, 135, -15, .max, .min] as [Int64])
    func otherLengthsAreRefused(_ length: Int64) {
        #expect(throws: CallRuleViolation.self) {
            try NewCallRequest(requester: requester, hero: someone, message: "m", estimatedLength: length)
        }
    }

    @Test func nobodyAsksAHeroWhoIsNotThereOrNotAcceptedOrTheirOwn() {
        let pending = Hero(id: 1, owner: hero, accepted: false, rateInCents: 100)
        for (user, asked) in [(requester, nil), (requester, pending), (hero, someone)] {
            do {
                _ = try NewCallRequest(requester: user, hero: asked, message: "", estimatedLength: 1)
                Issue.record("accepted")
            } catch {
                guard case .invalid(let faults) = error else {
                    Issue.record(error)
                    continue
                }
                #expect(faults.map(\.field) == ["message", "estimated_length", "hero_id"])
            }
        }
    }
}

@Suite struct CallRequestTests {
    @Test func onlyTheHeroAskedAcceptsOrDeclines() throws {
        for user in [requester, stranger] {
            var request = asked()
            #expect(throws: CallRuleViolation.notTheHeroAsked) {
                try request.accept(by: user, times: times(2), now: now)
            }
            #expect(throws: CallRuleViolation.notTheHeroAsked) { try request.decline(by: user, reason: "no") }
            #expect(request == asked())
        }
    }

    @Test func aDecisionIsMadeOnce() throws {
        var request = try accepted()
        #expect(throws: CallRuleViolation.self) { try request.decline(by: hero, reason: "no") }
        #expect(throws: CallRuleViolation.self) { try request.accept(by: hero, times: times(9), now: now) }
        #expect(try request == accepted())
    }

    @Test func theSideThatDidNotSuggestAgrees() throws {
        var request = try accepted()
        #expect(throws: CallRuleViolation.self) { try request.agree(by: hero, time: quarter(2), now: now) }
        try request.agree(by: requester, time: quarter(3), now: now)
        #expect(request.agreedTime == quarter(3))
        #expect(request.agreedEnd == quarter(5))
    }

    @Test func onlyTheNewestTimesCount() throws {
        var request = try accepted()
        try request.suggest(by: requester, times: times(10), now: now)
        #expect(throws: CallRuleViolation.self) { try request.agree(by: hero, time: quarter(2), now: now) }
        try request.agree(by: hero, time: quarter(10), now: now)
    }

    @Test func aTimeThatHasPassedIsNotAgreedTo() throws {
        var request = try accepted()
        #expect(throws: CallRuleViolation.self) { try request.agree(by: requester, time: quarter(2), now: quarter(2)) }
    }

    @Test func anInstantIsSuggestedOnce() throws {
        var request = try accepted()
        #expect(throws: CallRuleViolation.alreadySuggested) {
            try request.suggest(by: requester, times: times(4), now: now)
        }
    }

    /// Random parties make random moves; whatever is let through must leave a request that makes sense.
    @Test(arguments: 0..<200) func invariantsHoldAfterEveryMove(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var request = asked()
        var clock = now
        for _ in 0..<60 {
            let before = request
            let user = [requester, hero, stranger].randomElement(using: &random) ?? stranger
            clock = clock.advanced(minutes: Int64.random(in: 0...40, using: &random))
            let start = Int64.random(in: 0...400, using: &random)
            do {
                switch Int.random(in: 0..<4, using: &random) {
                case 0: try request.accept(by: user, times: times(start, at: clock), now: clock)
                case 1: try request.decline(by: user, reason: Bool.random(using: &random) ? "no" : "")
                case 2: try request.suggest(by: user, times: times(start, at: clock), now: clock)
                default:
                    let offered = request.suggestions.last?.times.all.randomElement(using: &random)
                    try request.agree(by: user, time: offered ?? quarter(start), now: clock)
                }
            } catch {
                #expect(request == before, "a refused move changes nothing")
                continue
            }
            #expect(user != stranger)
            #expect(request != before)
            #expect(before.status == .open || request.status == before.status)
            #expect(before.agreedTime == nil, "nothing moves once a time is agreed")
            #expect((request.status == .declined) == !request.reason.isEmpty)
            #expect(request.status == .accepted || request.suggestions.isEmpty)
            #expect(request.status != .accepted || request.suggestions.first?.by == hero)
            let instants = request.suggestions.flatMap(\.times.all)
            #expect(Set(instants).count == instants.count)
            if let agreed = request.agreedTime {
                #expect(request.suggestions.last?.times.all.contains(agreed) == true)
                #expect(request.suggestions.last?.by == request.counterpart(of: user))
                #expect(agreed > clock)
            }
        }
    }
}

/// SplitMix64, so that a failing sequence can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
