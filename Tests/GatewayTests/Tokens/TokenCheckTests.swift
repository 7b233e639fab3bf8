import Foundation
import Identity
import NIOCore
import Testing

@testable import GatewayService

/// The rules that keep a revoked token from being honoured, with Redis, accounts and time in the test's hands.
@Suite struct TokenCheckTests {
    /// Redis and accounts as the test plays them.
    final class World {
        var isTrusted = true
        var now: Int64 = 100
        var uptime = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var copies: [(Result<TokenCopy, any Error>) -> Void] = []
        var owners: [(Result<TokenRecord?, any Error>) -> Void] = []
        var fences: [() -> Void] = []
        var answers: [Claims] = []
        let token = Token.random()
        let record = TokenRecord(userID: UUID(), flags: [], tokenID: 7, version: 1, expires: 1000)
        let secret: SecretKey
        private(set) var check: TokenCheck

        init() throws {
            secret = try testSecret()
            let none = TokenSources(isTrusted: { false }, copy: { _, _ in }, owner: { _, _ in }, fence: { $0() })
            check = TokenCheck(secret: secret, sources: none, time: { 0 }, uptime: { .now() })
            let sources = TokenSources(
                isTrusted: { [unowned self] in isTrusted }, copy: { [unowned self] in copies.append($1) },
                owner: { [unowned self] in owners.append($1) }, fence: { [unowned self] in fences.append($0) })
            check = TokenCheck(
                secret: secret, sources: sources, time: { [unowned self] in now }, uptime: { [unowned self] in uptime })
        }

        var hash: TokenHash { secret.hash(of: token) }
        var user: Claims { .user(.init(id: record.userID, flags: record.flags, tokenID: record.tokenID)) }

        func ask() { check.find(token) { [unowned self] in answers.append($0) } }
        func redis(_ copy: TokenCopy) { copies.removeFirst()(.success(copy)) }
        func redisFails() { copies.removeFirst()(.failure(UpstreamFault.timedOut)) }
        func accounts(_ record: TokenRecord?) { owners.removeFirst()(.success(record)) }
    }

    @Test func aTokenIsAskedForOnceAndThenRemembered() throws {
        let world = try World()
        world.ask()
        world.redis(.record(world.record))
        world.ask()
        #expect(world.answers == [world.user, world.user])
        #expect(world.copies.isEmpty && world.owners.isEmpty)
        #expect(world.check.known(world.token) == world.user)
    }

    @Test func aTombstoneIsNobody() throws {
        let world = try World()
        world.ask()
        world.redis(.revoked)
        #expect(world.answers == [.anonymous])
        #expect(world.owners.isEmpty)
    }

    @Test func aMissingCopyIsAskedOfAccounts() throws {
        let world = try World()
        world.ask()
        world.redis(.missing)
        world.accounts(world.record)
        #expect(world.answers == [world.user])
    }

    @Test func aRedisErrorIsNeitherNobodyNorSomebody() throws {
        let world = try World()
        world.ask()
        world.redisFails()
        #expect(world.answers.isEmpty)
        world.accounts(world.record)
        #expect(world.answers == [world.user])
    }

    @Test func whenNobodyCanSayItIsUnverifiableAndNotRemembered() throws {
        let world = try World()
        world.ask()
        world.redisFails()
        world.owners.removeFirst()(.failure(UpstreamFault.unreachable))
        #expect(world.answers == [.unverifiable])
        #expect(world.check.known(world.token) == nil)
    }

    @Test func anUnknownTokenIsBelievedUnknownForAMoment() throws {
        let world = try World()
        world.ask()
        world.redis(.missing)
        world.accounts(nil)
        #expect(world.check.known(world.token) == .anonymous)
        world.uptime = world.uptime + TokenCheck.nobodyTime
        #expect(world.check.known(world.token) == nil)
    }

    @Test func anExpiredRecordIsNobody() throws {
        let world = try World()
        world.now = 1000
        world.ask()
        world.redis(.record(world.record))
        #expect(world.answers == [.anonymous])
    }

    @Test func aRecordExpiresInMemoryToo() throws {
        let world = try World()
        world.ask()
        world.redis(.record(world.record))
        world.now = 1000
        #expect(world.check.known(world.token) == nil)
    }

    @Test func nothingIsRememberedWhileRedisIsNotTrusted() throws {
        let world = try World()
        world.isTrusted = false
        world.ask()
        world.redis(.record(world.record))
        world.isTrusted = true
        #expect(world.check.known(world.token) == nil)
    }

    @Test func whatWasRememberedDoesNotCountWhileRedisIsNotTrusted() throws {
        let world = try World()
        world.ask()
        world.redis(.record(world.record))
        world.isTrusted = false
        #expect(world.check.known(world.token) == nil)
    }

    @Test func lostTrustEmptiesMemory() throws {
        let world = try World()
        world.ask()
        world.redis(.record(world.record))
        world.check.forgetAll()
        #expect(world.check.known(world.token) == nil)
    }

    @Test func aChangeEmptiesMemoryOfThatToken() throws {
        let world = try World()
        world.ask()
        world.redis(.record(world.record))
        world.check.forget(world.hash)
        #expect(world.check.known(world.token) == nil)
    }

    @Test func anAnswerThatRacedWithARevocationIsNotKept() throws {
        let world = try World()
        world.ask()
        world.check.forget(world.hash)
        world.redis(.record(world.record))
        #expect(world.check.known(world.token) == nil)
        world.ask()
        world.redis(.revoked)
        #expect(world.answers == [world.user, .anonymous])
    }

    @Test func anAnswerOfAccountsThatRacedWithARevocationIsNotKept() throws {
        let world = try World()
        world.ask()
        world.redis(.missing)
        world.check.forget(world.hash)
        world.accounts(world.record)
        #expect(world.check.known(world.token) == nil)
    }

    @Test func anAnswerThatRacedWithLostTrustIsNotKept() throws {
        let world = try World()
        world.ask()
        world.isTrusted = false
        world.check.forgetAll()
        world.isTrusted = true
        world.redis(.record(world.record))
        #expect(world.check.known(world.token) == nil)
    }

    @Test func whoeverAsksAfterARevocationGetsNoAnswerFromBefore() throws {
        let world = try World()
        world.ask()
        // Revoked, answered, and only then another request with the same token.
        world.check.forget(world.hash)
        world.ask()
        world.redis(.record(world.record))
        #expect(world.answers == [world.user])
        world.redis(.revoked)
        #expect(world.answers == [world.user, .anonymous])
    }

    @Test func whoeverAsksLateWhileRedisIsNotTrustedGetsALookupOfTheirOwn() throws {
        let world = try World()
        world.isTrusted = false
        world.ask()
        world.ask()
        world.ask()
        #expect(world.copies.count == 1)
        world.redis(.record(world.record))
        #expect(world.answers.count == 1)
        #expect(world.copies.count == 1)
        world.redis(.revoked)
        #expect(world.answers == [world.user, .anonymous, .anonymous])
    }

    @Test func manyWhoAskAtOnceCostTwoLookupsAtMost() throws {
        let world = try World()
        for _ in 0..<100 { world.ask() }
        world.redis(.record(world.record))
        #expect(world.answers.count == 100)
        #expect(world.copies.isEmpty)
    }

    @Test func questionsToAccountsAreBounded() throws {
        let world = try World()
        for _ in 0..<(TokenCheck.maximumAsking + 3) {
            world.check.find(.random()) { world.answers.append($0) }
            world.redis(.missing)
        }
        #expect(world.owners.count == TokenCheck.maximumAsking)
        #expect(world.answers == [.unverifiable, .unverifiable, .unverifiable])
    }

    @Test func settlingForgetsAtOnceAndWaitsForTheFence() throws {
        let world = try World()
        world.ask()
        world.redis(.record(world.record))
        var isDone = false
        world.check.settle(world.hash) { isDone = true }
        #expect(world.check.known(world.token) == nil)
        #expect(!isDone)
        world.fences.removeFirst()()
        #expect(isDone)
    }
}
