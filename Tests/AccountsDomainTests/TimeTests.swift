import Testing

@testable import AccountsDomain

@Suite("Instants, lifetimes and retries")
struct TimeTests {
    let now = Instant(microseconds: 1_479_311_756_179_930)

    @Test("Seconds are rounded down, before 1970 too")
    func seconds() {
        #expect(now.seconds == 1_479_311_756)
        #expect(Instant(microseconds: -1).seconds == -1)
        #expect(Instant(microseconds: -1_000_000).seconds == -1)
        #expect(now.advanced(by: .milliseconds(1)).since(now) == .milliseconds(1))
    }

    @Test("Codes live 7 days, 10 minutes and 1 hour unless set otherwise")
    func codes() {
        let lifetimes = Lifetimes()
        #expect(lifetimes.end(of: .email, madeAt: now).since(now) == .seconds(7 * 86_400))
        #expect(lifetimes.end(of: .phone, madeAt: now).since(now) == .seconds(600))
        #expect(lifetimes.end(of: .password, madeAt: now).since(now) == .seconds(3600))
        #expect(Lifetimes(phoneCode: .seconds(5)).end(of: .phone, madeAt: now).since(now) == .seconds(5))
    }

    @Test("Tokens live 7 days, 24 hours before the email is verified, and end on a whole second")
    func tokens() {
        let lifetimes = Lifetimes()
        #expect(lifetimes.end(ofTokenIssuedAt: now, emailVerified: true).seconds == now.seconds + 7 * 86_400)
        let end = lifetimes.end(ofTokenIssuedAt: now, emailVerified: false)
        #expect(end.seconds == now.seconds + 86_400 && end.microseconds % 1_000_000 == 0)
    }

    @Test("Waits double up to the longest, spread over their second half, and end after the last try")
    func retries() {
        let schedule = RetrySchedule(first: .seconds(2), longest: .seconds(60), maximumTries: 9)
        #expect(schedule.wait(afterTries: 1, random: 0) == .seconds(1))
        #expect(schedule.wait(afterTries: 1, random: 1) == .seconds(2))
        #expect(schedule.wait(afterTries: 3, random: 0.5) == .seconds(6))
        #expect(schedule.wait(afterTries: 8, random: 1) == .seconds(60))
        #expect(schedule.wait(afterTries: 9, random: 0) == nil)
        #expect(RetrySchedule(maximumTries: .max).wait(afterTries: 5_000, random: 1) == .seconds(900))
    }
}
