import Foundation
import Testing

@testable import Identity

let secret: SecretKey = {
    guard let key = try? SecretKey("0123456789abcdef0123456789abcdef") else { preconditionFailure("a valid key") }
    return key
}()

@Suite struct TokenTests {
    @Test func aTokenIs32HexDigitsAndNeverTheSameTwice() {
        let tokens = (0..<1000).map { _ in Token.random() }
        #expect(Set(tokens).count == 1000)
        #expect(tokens.allSatisfy { Token($0.secret) == $0 })
    }

    @Test(arguments: ["%@", "Token %@", "token %@", "BEARER %@", "Bearer   %@", " Bearer %@ "])
    func everySchemeTheContractNamesIsAccepted(_ form: String) {
        let token = Token.random()
        #expect(Token(authorization: form.replacing("%@", with: token.secret)) == token)
    }

    @Test(arguments: [
        "", " ", "Basic 0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdefa", "0123456789ABCDEF0123456789ABCDEF", "Token", "Token a b",
        "0123456789abcdef0123456789abcdeé",
    ])
    func whatCantBeATokenIsNone(_ field: String) {
        #expect(Token(authorization: field) == nil)
    }

    /// RFC 4231's test case 2 can't be used (its key is short), so the reference is Python's `hmac` module.
    @Test func theHashIsTheHMACUnderTheSecretItself() throws {
        let token = try #require(Token("00112233445566778899aabbccddeeff"))
        #expect(secret.hash(of: token).hex == "e2f18cb41fd0132236a07d04a640d4835d49aa14a1e3cadc7a6af79b13bd33bb")
        #expect(TokenHash(hex: secret.hash(of: token).hex) == secret.hash(of: token))
    }

    @Test func nothingSecretIsInADescription() {
        let token = Token.random()
        #expect(!"\(token) \(secret) \(secret.hash(of: token))".contains(token.secret.prefix(8)))
        #expect(!String(reflecting: secret).contains("0123456789"))
    }

    @Test func aShortSecretIsRefused() {
        #expect(throws: SecretKeyError.tooShort) { try SecretKey(String(repeating: "x", count: 31)) }
    }
}

@Suite struct TokenRecordTests {
    let record = TokenRecord(userID: UUID(), flags: [.staff, .phoneVerified], tokenID: 7, version: 3, expires: 99)

    @Test func aRecordIsReadAsItWasWritten() {
        #expect(TokenRecord(record.text) == record)
    }

    @Test(arguments: ["", "revoked", "1", "2 3 x 1 1 1", "1 3 00000000-0000-0000-0000-000000000000 256 1 1"])
    func whatIsNoRecordIsNone(_ text: String) {
        #expect(TokenRecord(text) == nil)
    }

    @Test func theKeyBelongsToOneRunOfTheServer() {
        let hash = secret.hash(of: .random())
        #expect(
            TokenRecord.redisKey(serverRunID: "a", hash: hash) != TokenRecord.redisKey(serverRunID: "b", hash: hash))
        #expect(TokenRecord.redisKey(serverRunID: "a", hash: hash).hasPrefix(TokenRecord.redisKeyPrefix))
    }
}

@Suite struct IdentitySealTests {
    let seal = IdentitySeal(secret)

    static let all: [Claims] = [
        .anonymous, .unverifiable, .service("gateway"),
        .user(.init(id: UUID(), flags: [.emailVerified], tokenID: 12)),
    ]

    @Test(arguments: all) func whatIsSignedIsVerified(_ claims: Claims) {
        let field = seal.sign(claims, method: "GET", path: "/a?b=c", now: 1000)
        #expect(seal.verify(field, method: "GET", path: "/a?b=c", now: 1000) == claims)
        #expect(seal.verify(field, method: "GET", path: "/a?b=c", now: 1060) == claims)
    }

    @Test(arguments: all) func aSignatureHoldsForOneRequestAndOneMinute(_ claims: Claims) throws {
        let field = seal.sign(claims, method: "GET", path: "/a", now: 1000)
        #expect(seal.verify(field, method: "POST", path: "/a", now: 1000) == nil)
        #expect(seal.verify(field, method: "GET", path: "/a?x", now: 1000) == nil)
        #expect(seal.verify(field, method: "GET", path: "/a", now: 1061) == nil)
        #expect(seal.verify(field, method: "GET", path: "/a", now: 900) == nil)
        let other = IdentitySeal(try SecretKey(String(repeating: "z", count: 32)))
        #expect(other.verify(field, method: "GET", path: "/a", now: 1000) == nil)
    }

    @Test func everyChangedCharacterIsNoticed() {
        let claims = Claims.user(.init(id: UUID(), flags: [], tokenID: 1))
        let field = Array(seal.sign(claims, method: "GET", path: "/", now: 0).utf8)
        for index in field.indices {
            var changed = field
            changed[index] = changed[index] == UInt8(ascii: "1") ? UInt8(ascii: "2") : UInt8(ascii: "1")
            #expect(seal.verify(String(decoding: changed, as: UTF8.self), method: "GET", path: "/", now: 0) == nil)
        }
    }

    @Test(arguments: ["", ".", "a", "1.a", "99999.a.", "99999.u.x.1.1.00"])
    func whatWasNeverSignedIsRefused(_ field: String) {
        #expect(seal.verify(field, method: "GET", path: "/", now: 0) == nil)
    }
}
