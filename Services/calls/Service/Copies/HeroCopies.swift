import CallsDomain
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What heroes tells of a hero, in its events, its snapshot and when asked. Only what is read here is named.
struct HeroCopy: Sendable, Hashable {
    var hero: Hero
    var version: Int64

    /// - Throws: `Problem` when a member is missing or of another type.
    init(_ members: [String: JSONValue]) throws(Problem) {
        var fields = Fields(members)
        let id = fields.integer("id", 1...(.max))
        let owner = fields.uuid("user")
        let accepted = fields.bool("accepted")
        let rate = fields.integer("rate_in_cents")
        let version = fields.integer("version")
        let values = try fields.finish(id, owner, accepted, rate, version)
        self.hero = Hero(id: values.0, owner: values.1, accepted: values.2, rateInCents: values.3)
        self.version = values.4
    }
}

/// The heroes that can be asked, kept from the events of heroes.
struct HeroCopies: Sendable {
    let postgres: PostgresClient
    let heroes: InternalClient
    let asked = SingleFlight<Int64, Hero?>(most: 64)
    /// How long an owner may take to answer.
    private let patience: Duration

    init(postgres: PostgresClient, heroes: InternalClient, patience: Duration = .seconds(1)) {
        self.postgres = postgres
        self.heroes = heroes
        self.patience = patience
    }

    /// A hero as far as is known here. Before one is said to be unknown or not accepted, heroes itself is asked: it may
    /// have accepted the hero a moment ago. Never inside a transaction.
    ///
    /// - Throws: `UnavailableError` when heroes had to be asked and is away, or doesn't make sense.
    func hero(_ id: Int64, trace: TraceContext) async throws -> Hero? {
        let rows = try await postgres.read(
            "SELECT user_id, accepted, rate_in_cents FROM calls.heroes WHERE id = \(id)")
        if let (owner, accepted, rate) = try rows.first?.decode((UUID, Bool, Int64).self), accepted {
            return Hero(id: id, owner: owner, accepted: true, rateInCents: rate)
        }
        do {
            // A no from before the question may be out of date.
            return try await asked.value(for: id, unless: { $0?.accepted != true }) {
                try await fetch(id, trace: trace)
            }
        } catch is SingleFlight<Int64, Hero?>.Full {
            throw Problem.unavailable()
        }
    }

    private func fetch(_ id: Int64, trace: TraceContext) async throws -> Hero? {
        let answer = try await heroes.get("/internal/v1/heroes/\(id)", trace: trace, deadline: patience)
        switch answer.status {
        case 200:
            let copy = try answer.copy(from: "heroes", HeroCopy.init)
            try await postgres.execute(Self.storing([copy]))
            return copy.hero
        case 404: return nil
        default: throw Problem.unavailable()
        }
    }

    /// Stores copies unless what is there is as new.
    static func storing(_ copies: [HeroCopy]) -> SQL {
        // The order keeps two who store the same heroes from waiting for each other.
        let copies = copies.sorted { $0.hero.id < $1.hero.id }
        return """
            INSERT INTO calls.heroes AS copy (id, user_id, accepted, rate_in_cents, version)
            SELECT * FROM unnest(\(copies.map(\.hero.id))::bigint[], \(copies.map(\.hero.owner))::uuid[],
                \(copies.map(\.hero.accepted))::bool[], \(copies.map(\.hero.rateInCents))::bigint[],
                \(copies.map(\.version))::bigint[])
            ON CONFLICT (id) DO UPDATE SET user_id = EXCLUDED.user_id, accepted = EXCLUDED.accepted,
                rate_in_cents = EXCLUDED.rate_in_cents, version = EXCLUDED.version
            WHERE EXCLUDED.version > copy.version
            """
    }
}
