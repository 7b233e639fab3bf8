/// The prepared statements of one connection, bounded: the one not used for longest goes first. It belongs to the
/// connection and dies with it, since the server knows nothing of them on any other.
struct StatementCache {
    /// A statement's text and parameter types.
    struct Key: Hashable {
        let sql: SQL

        static func == (left: Key, right: Key) -> Bool {
            guard left.sql.text == right.sql.text else { return false }
            let (mine, other) = (left.sql.values.entries, right.sql.values.entries)
            guard mine.count == other.count else { return false }
            for index in mine.indices where mine[index].type != other[index].type { return false }
            return true
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(sql.text)
            for entry in sql.values.entries { hasher.combine(entry.type) }
        }
    }

    struct Statement {
        let id: Int
        /// The name on the server, with the NUL that libpq needs.
        let name: [CChar]
        fileprivate var lastUse: UInt64
    }

    let limit: Int
    private var statements: [Key: Statement] = [:]
    private var keys: [Int: Key] = [:]
    private var uses: UInt64 = 0
    private var lastID = 0

    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    var count: Int { statements.count }

    /// The statement, if it is prepared here.
    mutating func find(_ sql: SQL) -> Statement? {
        uses += 1
        let key = Key(sql: sql)
        guard let index = statements.index(forKey: key) else { return nil }
        statements.values[index].lastUse = uses
        return statements.values[index]
    }

    /// Remembers a statement about to be prepared; `evicted` is the name of the one to deallocate for it.
    mutating func insert(_ sql: SQL) -> (statement: Statement, evicted: String?) {
        var evicted: String?
        if statements.count >= limit, let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            evicted = Self.name(oldest.value.id)
            forget(oldest.value.id)
        }
        uses += 1
        lastID += 1
        let statement = Statement(id: lastID, name: Array(Self.name(lastID).utf8CString), lastUse: uses)
        let key = Key(sql: sql)
        statements[key] = statement
        keys[lastID] = key
        return (statement, evicted)
    }

    mutating func forget(_ id: Int) {
        if let key = keys.removeValue(forKey: id) { statements[key] = nil }
    }

    /// Names are never used again, so that one the server still has does no harm.
    mutating func forgetAll() {
        statements.removeAll()
        keys.removeAll()
    }

    private static func name(_ id: Int) -> String { "s\(id)" }
}
