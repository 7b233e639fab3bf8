import HeroesDomain
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A hero, accepted or not, as its row says.
struct Hero: Sendable, Hashable {
    var id: Int64
    var userID: UUID
    var slug: String
    var details: HeroDetails
    var state: ReviewState
    var version: Int64
    var created: Timestamp
    var updated: Timestamp

    var isAccepted: Bool { state == .accepted }
}

extension Hero {
    /// What ``init(_:)`` reads, of `heroes.heroes h`.
    static let columns: SQL = """
        h.id, h.user_id, h.slug, h.discipline, h.title, h.description, h.position, h.company, h.short_bio, \
        h.years_of_exp, h.rate_in_cents, h.linkedin_url, h.state, h.version, h.created, h.updated
        """

    /// - Throws: `PostgresError` with code `decoding`.
    init(_ columns: inout ColumnReader) throws {
        id = try columns.next()
        userID = try columns.next()
        slug = try columns.next()
        details = HeroDetails(
            discipline: try columns.discipline(), title: try columns.next(), description: try columns.next(),
            position: try columns.next(), company: try columns.next(), shortBio: try columns.next(),
            yearsOfExperience: try columns.next(), rateInCents: try columns.next(), linkedInURL: try columns.next())
        let text: String = try columns.next()
        guard let state = ReviewState(rawValue: text) else { throw PostgresError(.decoding, "not a state") }
        self.state = state
        version = try columns.next()
        created = try columns.next()
        updated = try columns.next()
    }

    init(_ row: PostgresRow) throws {
        var columns = ColumnReader(row)
        try self.init(&columns)
    }
}

extension ColumnReader {
    fileprivate mutating func discipline() throws -> Discipline {
        let text: String = try next()
        guard let discipline = Discipline(rawValue: text) else { throw PostgresError(.decoding, "not a discipline") }
        return discipline
    }
}

extension PostgresTransaction {
    /// A hero, its row locked until the transaction ends; nil if there is none.
    func lockedHero(_ condition: SQL) async throws -> Hero? {
        try await execute("SELECT \(Hero.columns) FROM heroes.heroes h WHERE \(condition) FOR NO KEY UPDATE").first
            .map(Hero.init)
    }
}
