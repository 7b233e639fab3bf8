import HeroesDomain
import Postgres

/// What the directory says of itself: a number that is another with everything public that changes, and its counts.
struct Edition: Sendable, Hashable {
    /// Two pages made in the same edition show the same directory.
    var version: Int64
    /// The last edition in which a hero left a place that isn't for good.
    var moved: Int64
    /// Where heroes were in editions before this one is forgotten.
    var pruned: Int64
    /// Accepted heroes of each discipline.
    var counts: [Discipline: Int64]

    /// Accepted heroes of a discipline, or of all.
    func count(_ discipline: Discipline?) -> Int64 {
        if let discipline { counts[discipline] ?? 0 } else { counts.values.reduce(0, +) }
    }
}

extension Edition {
    /// What ``init(_:)`` reads, of `heroes.edition e`.
    static let columns: SQL = "e.version, e.moved, e.pruned, e.fe, e.be, e.io, e.an, e.ux"

    /// - Throws: `PostgresError` with code `decoding`.
    init(_ columns: inout ColumnReader) throws {
        version = try columns.next()
        moved = try columns.next()
        pruned = try columns.next()
        counts = [
            .frontEnd: try columns.next(), .backEnd: try columns.next(), .iOS: try columns.next(),
            .android: try columns.next(), .userExperience: try columns.next(),
        ]
    }

    /// The edition at the moment the statement runs.
    static func read(from postgres: PostgresClient) async throws -> Edition {
        let rows = try await postgres.read("SELECT \(columns) FROM heroes.edition e WHERE e.only_row")
        guard let row = rows.first else { throw PostgresError(.decoding, "no edition") }
        var columns = ColumnReader(row)
        return try Edition(&columns)
    }
}
