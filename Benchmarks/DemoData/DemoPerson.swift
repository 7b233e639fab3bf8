import Foundation
import HeroesDomain
import Postgres

/// A user of the demo.
struct DemoPerson: Sendable {
    var id: UUID
    var firstName: String
    var lastName: String
    var profileImage: String?
    var timezone: String
    var created: Timestamp

    init(using random: inout DemoRandom, created: Timestamp) {
        let (high, low) = (random.next(), random.next())
        id = UUID(high: high, low: low)
        firstName = random.pick(DemoWords.firstNames)
        lastName = random.pick(DemoWords.lastNames)
        profileImage = random.chance(0.6) ? "https://images.example/people/\(high % 5000).jpg" : nil
        timezone = random.pick(DemoWords.timezones)
        self.created = created
    }

    /// One that nobody reads mail at (RFC 6761, section 6.5).
    var email: String { "demo.\(id.uuidString.lowercased())@demo.example" }
}

/// A hero of the demo, as an application would have made it.
struct DemoHero: Sendable {
    var person: DemoPerson
    var details: HeroDetails
    var applied: Timestamp
    var decided: Timestamp

    init(using random: inout DemoRandom, applied: Timestamp, now: Timestamp) {
        let registered = applied - .seconds(Int64(random.next() % 8_000_000))
        person = DemoPerson(using: &random, created: registered)
        self.applied = applied
        decided = min(applied + .seconds(Int64(random.next() % 200_000)), now)
        let discipline = random.pickFront([.backEnd, .frontEnd, .userExperience, .iOS, .android] as [Discipline])
        let offers = DemoOffers.of(discipline)
        let subject = random.pickFront(offers.subjects)
        var title = random.pick(offers.titles).replacing("%", with: subject)
        if title.unicodeScalars.count > HeroDetails.titleLength.upperBound { title = "Learn \(subject)" }
        let other = random.pickFront(offers.subjects)
        let description = (0..<(2 + Int(random.next() % 3))).map { index in
            random.pickFront(DemoOffers.sentences).replacing("%", with: index == 0 ? subject : other)
        }
        let years = 1 + min(Int(random.next() % 22), Int(random.next() % 45))
        // More with the years, in steps of 25 cents a minute mostly.
        let rate = (50 + years * 12) * Int(2 + random.next() % 9) / 4
        details = HeroDetails(
            discipline: discipline, title: title, description: description.joined(separator: " "),
            position: random.pick(offers.positions), company: random.pickFront(DemoWords.companies),
            shortBio: random.pick(DemoOffers.shortBios), yearsOfExperience: years,
            rateInCents: random.chance(0.9) ? rate / 25 * 25 : rate,
            linkedInURL: "https://www.linkedin.com/in/demo-\(person.id.uuidString.lowercased().prefix(8))")
    }
}

extension UUID {
    /// A UUID of version 4 (RFC 9562, section 5.4) with these bits.
    fileprivate init(high: UInt64, low: UInt64) {
        let high = high & ~0xF000 | 0x4000
        let low = low & ~(0b11 << 62) | 0b10 << 62
        func byte(_ word: UInt64, _ index: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> (56 - 8 * index)) }
        self.init(
            uuid: (
                byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3), byte(high, 4), byte(high, 5), byte(high, 6),
                byte(high, 7), byte(low, 0), byte(low, 1), byte(low, 2), byte(low, 3), byte(low, 4), byte(low, 5),
                byte(low, 6), byte(low, 7)
            ))
    }
}
