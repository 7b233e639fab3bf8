import Testing

import HeroesDomain

@Suite("Review")
struct ReviewTests {
    @Test("Every decision can be made in every state; made again it stands")
    func machine() {
        #expect(ReviewState.pending.after(.accept) == .changes(to: .accepted))
        #expect(ReviewState.pending.after(.decline) == .changes(to: .declined))
        #expect(ReviewState.accepted.after(.accept) == .stands)
        #expect(ReviewState.accepted.after(.decline) == .changes(to: .declined))
        #expect(ReviewState.declined.after(.accept) == .changes(to: .accepted))
        #expect(ReviewState.declined.after(.decline) == .stands)
    }

    @Test("A patch changes what it mentions")
    func patch() {
        let details = HeroDetails(
            discipline: .backEnd, title: "t", description: "d", position: "p", company: "c", shortBio: "s",
            yearsOfExperience: 3, rateInCents: 100, linkedInURL: "http://l")
        #expect(details.applying(HeroPatch()) == details)
        var patch = HeroPatch()
        patch.rateInCents = 0
        patch.title = "T"
        var expected = details
        expected.rateInCents = 0
        expected.title = "T"
        #expect(details.applying(patch) == expected)
    }
}
