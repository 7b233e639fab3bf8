import Testing

@testable import AccountsService

@Suite("scrypt")
struct ScryptTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var passphrase: String
        var salt: String
        var parameters: Scrypt.Parameters
        var key: String

        var testDescription: String { "N = 2^\(parameters.logN), r = \(parameters.r), p = \(parameters.p)" }
    }

    /// RFC 7914, section 12, all four. The last takes a gigabyte for some seconds.
    static let vectors = [
        Vector(
            passphrase: "", salt: "", parameters: .init(logN: 4, r: 1, p: 1),
            key: """
                77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442\
                fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906
                """),
        Vector(
            passphrase: "password", salt: "NaCl", parameters: .init(logN: 10, r: 8, p: 16),
            key: """
                fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162\
                2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640
                """),
        Vector(
            passphrase: "pleaseletmein", salt: "SodiumChloride", parameters: .init(logN: 14, r: 8, p: 1),
            key: """
                7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2\
                d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887
                """),
        Vector(
            passphrase: "pleaseletmein", salt: "SodiumChloride", parameters: .init(logN: 20, r: 8, p: 1),
            key: """
                2101cb9b6a511aaeaddbbe09cf70f881ec568d574a2ffd4dabe5ee9820adaa47\
                8e56fd8f4ba5d09ffa1c6d927c40f4c337304049e8a952fbcbf45c6fa77a41a4
                """),
    ]

    @Test("The vectors of RFC 7914", arguments: vectors)
    func isVector(vector: Vector) throws {
        let key = try Scrypt.derive(
            passphrase: Array(vector.passphrase.utf8), salt: Array(vector.salt.utf8), vector.parameters, length: 64)
        #expect(key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == vector.key)
    }

    @Test("A NUL ends neither passphrase nor salt")
    func nul() throws {
        func derive(_ passphrase: [UInt8], _ salt: [UInt8]) throws -> [UInt8] {
            try Scrypt.derive(passphrase: passphrase, salt: salt, .init(logN: 4, r: 1, p: 1), length: 32)
        }
        let keys = try [
            derive([1, 0, 2], [3]), derive([1, 0, 3], [3]), derive([1], [3]), derive([1, 0, 2], [3, 0, 4]),
        ]
        #expect(Set(keys).count == 4)
    }

    @Test("The standard parameters are those of the design and can be computed")
    func standard() throws {
        #expect(Scrypt.Parameters.standard == .init(logN: 15, r: 8, p: 3))
        #expect(try Scrypt.derive(passphrase: [1], salt: [2], .standard, length: 32).count == 32)
    }

    @Test(
        "Parameters out of range are refused, not computed",
        arguments: [
            (0, 8, 1), (-1, 8, 1), (31, 8, 1), (64, 8, 1), (Int.max, 8, 1), (4, 0, 1), (4, 8, 0), (4, -1, 1),
            (4, 65, 1), (4, 8, Int.max),
        ])
    func outOfRange(logN: Int, r: Int, p: Int) {
        #expect(throws: Scrypt.Failure.self) {
            try Scrypt.derive(passphrase: [1], salt: [2], .init(logN: logN, r: r, p: p), length: 32)
        }
    }
}
