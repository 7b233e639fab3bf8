import Testing

@testable import AccountsDomain

@Suite("Codes")
struct VerificationCodeTests {
    @Test("The alphabet is of a-z and 0-9 without look-alikes", arguments: ["0", "o", "1", "l", "i"])
    func alphabet(lookAlike: Character) {
        let alphabet = VerificationCode.alphabet
        #expect(Set(alphabet).count == 31 && alphabet.count == 31)
        #expect(!String(decoding: alphabet, as: UTF8.self).contains(lookAlike))
    }

    @Test("A code has the length its purpose asks for", arguments: zip(CodePurpose.allCases, [10, 6, 8]))
    func lengths(purpose: CodePurpose, length: Int) throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let code = VerificationCode.random(for: purpose, using: &generator)
            #expect(code.secret.utf8.count == length)
            #expect(code.secret.utf8.allSatisfy(VerificationCode.alphabet.contains))
            #expect(try VerificationCode(code.secret, for: purpose) == code)
        }
    }

    @Test("What is typed is trimmed and lower-cased; look-alikes are wrong, not malformed")
    func input() throws {
        #expect(try VerificationCode(" ABC234\n", for: .phone).secret == "abc234")
        #expect(try VerificationCode("o0l1i0", for: .phone).secret == "o0l1i0")
        for bad in ["", "abc23", "abc2345", "abc 23", "abc-23", "äbc234", "abc23\0", "ａbc234"] {
            #expect(throws: InvalidValue.self) { try VerificationCode(bad, for: .phone) }
        }
    }

    @Test("A code isn't in its description")
    func description() throws {
        let code = try VerificationCode("abcd2345", for: .password)
        #expect(!"\(code)".contains("abcd") && !String(reflecting: code).contains("abcd"))
        #expect(code.selector == "abcd")
    }
}
