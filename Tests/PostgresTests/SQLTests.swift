import Testing

@testable import Postgres

@Suite struct SQLTests {
    @Test func `Values are bound in order and never become text`() {
        let sql: SQL = "SELECT * FROM users WHERE name = \("'; DROP TABLE users; --") AND id = \(7)"
        #expect(sql.text == "SELECT * FROM users WHERE name = $1 AND id = $2")
        #expect(sql.values.entries.map(\.type) == [0, 20])
    }

    @Test func `A fragment's parameters are numbered after those before it`() {
        let filter: SQL = "rate > \(1) AND rate < \(2)"
        let sql: SQL = "SELECT \(0) WHERE \(filter) AND slug = \("a$1") OR \(filter)"
        #expect(sql.text == "SELECT $1 WHERE rate > $2 AND rate < $3 AND slug = $4 OR rate > $5 AND rate < $6")
        #expect(sql.values.entries.count == 6)
    }

    @Test func `Fragments of many parameters are spliced right`() {
        let list = SQL.joined((0..<120).map { "\($0)" }, separator: ", ")
        let sql: SQL = "SELECT \(1) IN (\(list))"
        #expect(sql.text.hasPrefix("SELECT $1 IN ($2, $3, "))
        #expect(sql.text.hasSuffix(", $120, $121)"))
    }

    @Test func `Raw text enters only under its name`() {
        let sql: SQL = "SELECT 1 ORDER BY \(unsafeRaw: "rate DESC") LIMIT \(3)"
        #expect(sql.text == "SELECT 1 ORDER BY rate DESC LIMIT $1")
    }

    @Test func `A NUL in text or statement, and a time beyond the server's, are refused`() {
        #expect(SQL("SELECT \("a\0b")").fault?.code == .encoding)
        #expect(SQL("SELECT \(["a\0b"])").fault?.code == .encoding)
        #expect(SQL(unsafeRaw: "SELECT 1\0").fault?.code == .encoding)
        #expect(SQL("SELECT \(Timestamp(microseconds: .min))").fault?.code == .encoding)
        let fragment: SQL = "\("a\0b")"
        #expect(SQL("SELECT \(fragment)").fault?.code == .encoding)
    }

    @Test func `A quoted name stays one name`() {
        #expect(SQL.quotedIdentifier("a\"; DROP") == "\"a\"\"; DROP\"")
    }

    @Test func `An error's description holds none of the server's words`() {
        var error = PostgresError(.server, "Key (email)=(grace@example.com) already exists.", sqlState: "23505")
        error.constraint = "users_email_key"
        #expect("\(error)" == "PostgresError(server, sqlState: 23505, constraint: users_email_key)")
        #expect(String(reflecting: error).contains("grace@example.com"))
        #expect(error.isConflict && !error.isUnavailable)
    }
}
