import Testing

@testable import Postgres

@Suite struct StatementCacheTests {
    @Test func `The same text with the same types is one statement, with others another`() {
        var cache = StatementCache(limit: 10)
        let first = cache.insert("SELECT \(1)").statement
        do {
            let found = cache.find("SELECT \(2)")?.id
            #expect(found == first.id)
        }
        do {
            let found = cache.find("SELECT \("two")")
            #expect(found == nil)
        }
        do {
            let found = cache.find("SELECT 1")
            #expect(found == nil)
        }
    }

    @Test func `The statement not used for longest makes room, and no name is used twice`() {
        var cache = StatementCache(limit: 2)
        _ = cache.insert("SELECT 1")
        _ = cache.insert("SELECT 2")
        _ = cache.find("SELECT 1")
        do {
            let found = cache.insert("SELECT 3").evicted
            #expect(found == "s2")
        }
        do {
            let found = cache.find("SELECT 2")
            #expect(found == nil)
        }
        do {
            let found = cache.find("SELECT 1")
            #expect(found != nil)
        }
        cache.forgetAll()
        do {
            let found = cache.insert("SELECT 1").statement.id
            #expect(found == 4)
        }
    }
}
