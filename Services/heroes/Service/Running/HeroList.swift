import Logging
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What operators look up about heroes on the command line.
public struct HeroList: Sendable {
    private let settings: HeroesSettings
    private let logger: Logger

    /// Connects to nothing by itself.
    public init(_ settings: HeroesSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Heroes, oldest first, a line for each: id, state, when they applied, discipline, slug, name and title, with tabs
    /// between them.
    ///
    /// - Parameters:
    ///   - isPendingOnly: only those who wait for staff.
    ///   - most: how many lines.
    /// - Throws: `PostgresError`.
    public func lines(isPendingOnly: Bool, most: Int) async throws -> [String] {
        try await with { postgres in
            let condition: SQL = isPendingOnly ? "h.state = 'pending'" : "true"
            let order: SQL = isPendingOnly ? "h.created, h.id" : "h.id"
            return try await postgres.read(
                """
                SELECT h.id, h.state, h.created, h.discipline, h.slug, u.first_name, u.last_name, h.title
                FROM heroes.heroes h JOIN heroes.users u ON u.id = h.user_id
                WHERE \(condition) ORDER BY \(order) LIMIT \(most)
                """
            )
            .decode((Int64, String, Timestamp, String, String, String, String, String).self)
            .map { id, state, created, discipline, slug, first, last, title in
                // Names and titles are people's own words, and a terminal obeys some characters.
                let words = "\(first) \(last)\t\(title)".unicodeScalars.map {
                    $0 == "\t" || $0.properties.generalCategory != .control ? Character($0) : " "
                }
                return "\(id)\t\(state)\t\(created.rfc3339)\t\(discipline)\t\(slug)\t\(String(words))"
            }
        }
    }

    /// What staff decided about a hero, oldest first, a line for each: when, what and the id of who did, with tabs between
    /// them. A decision that was made again, and changed nothing, is none of them.
    ///
    /// - Throws: `PostgresError`.
    public func decisions(of id: Int64) async throws -> [String] {
        try await with { postgres in
            try await postgres.read(
                "SELECT decided, decision, decided_by FROM heroes.decisions WHERE hero_id = \(id) ORDER BY id"
            )
            .decode((Timestamp, String, UUID).self)
            .map { decided, decision, staff in
                "\(decided.rfc3339)\t\(decision)\t\(staff.uuidString.lowercased())"
            }
        }
    }

    private func with(_ body: @Sendable (PostgresClient) async throws -> [String]) async throws -> [String] {
        try await PostgresClient.with(settings.postgres("heroes list"), logger: logger, body)
    }
}
