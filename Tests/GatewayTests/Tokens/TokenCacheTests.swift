import Foundation
import Identity
import Testing

@testable import GatewayService

@Suite struct TokenCacheTests {
    static func make() throws -> (Token, TokenHash, TokenRecord) {
        let token = Token.random()
        return (
            token, try testSecret().hash(of: token),
            TokenRecord(userID: UUID(), flags: [.emailVerified], tokenID: 1, version: 1, expires: 1000)
        )
    }

    @Test func whatWasPutInIsFoundUntilItExpires() throws {
        var cache = TokenCache(capacity: 4)
        let (token, hash, record) = try Self.make()
        cache.insert(token, hash, record)
        #expect(cache.record(of: token, now: 999) == record)
        #expect(cache.record(of: token, now: 1000) == nil)
        #expect(cache.count == 0)
    }

    @Test func whatIsRemovedByItsHashIsGone() throws {
        var cache = TokenCache(capacity: 4)
        let (token, hash, record) = try Self.make()
        cache.insert(token, hash, record)
        cache.remove(hash)
        #expect(cache.record(of: token, now: 0) == nil)
        cache.insert(token, hash, record)
        cache.removeAll()
        #expect(cache.record(of: token, now: 0) == nil)
    }

    @Test func aFullCacheLetsGoOfWhatIsNotUsed() throws {
        var cache = TokenCache(capacity: 8)
        let (used, hash, record) = try Self.make()
        cache.insert(used, hash, record)
        for _ in 0..<100 {
            let (token, hash, record) = try Self.make()
            #expect(cache.record(of: used, now: 0) != nil)
            cache.insert(token, hash, record)
            #expect(cache.count <= 8)
        }
    }

    @Test func aNewerRecordReplacesAnOlderOne() throws {
        var cache = TokenCache(capacity: 2)
        var (token, hash, record) = try Self.make()
        cache.insert(token, hash, record)
        record.flags = [.staff]
        cache.insert(token, hash, record)
        #expect(cache.record(of: token, now: 0)?.flags == [.staff])
        #expect(cache.count == 1)
    }
}

func testSecret() throws -> SecretKey { try SecretKey("0123456789abcdef0123456789abcdef") }
