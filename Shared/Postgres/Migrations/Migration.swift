/// One step of a schema: plain SQL, run once, never changed after a release.
public struct Migration: Sendable {
    /// Counted from 1 without a gap.
    public let number: Int
    public let name: String
    /// One or more statements. They run in one transaction together with the note that they did.
    public let sql: String

    /// - Parameters:
    ///   - number: counted from 1.
    ///   - name: a few words.
    ///   - sql: the statements.
    public init(number: Int, name: String, sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }

    /// - Parameter sql: the statements in UTF-8, as SwiftPM embeds a resource.
    public init(number: Int, name: String, sql: [UInt8]) {
        self.init(number: number, name: name, sql: String(decoding: sql, as: UTF8.self))
    }
}

/// Why the schema is not what this release needs.
public enum MigrationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Migrations of this release have not been run: run `<service> migrate`.
    case behind(applied: Int, needed: Int)
    /// A migration that has been run is not the one of this release.
    case changed(number: Int)
    /// The numbers do not count up from 1.
    case misnumbered(Int)

    public var description: String {
        switch self {
        case .behind(let applied, let needed): "the schema is at migration \(applied), \(needed) is needed: run migrate"
        case .changed(let number): "migration \(number) was changed after it had been run"
        case .misnumbered(let number): "migration \(number) is out of order"
        }
    }
}
