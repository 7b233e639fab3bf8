import Foundation
import Identity
import Logging
import TestKit
import Testing

@testable import AccountsService

@Suite("Password hashes")
struct PasswordHashTests {
    /// Computed with another implementation (Python's hmac, hashlib.scrypt): HKDF gives the pepper, an HMAC of
    /// `password1é` under it is what scrypt gets.
    static let known = "$scrypt$ln=4,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$ESVnLIKL20vqL4LIytuaGDgcXmAedvPftDYRajpsXh8"

    static func hasher(
        secret: String = RunningAccounts.secret, _ parameters: Scrypt.Parameters = .init(logN: 4, r: 8, p: 1),
        threads: Int = 1, queue: Int = 64
    ) throws -> PasswordHasher {
        PasswordHasher(
            secret: try SecretKey(secret), parameters: parameters, threads: threads, queue: queue,
            executable: RunningProcess.path(of: "accounts"), logger: Logger(label: "test"))
    }

    @Test("A PHC string says all that is needed to check a password")
    func roundTrip() async throws {
        let hash = try await Self.hasher(.init(logN: 5, r: 7, p: 2)).hash("password1")
        #expect(hash.text.wholeMatch(of: /\$scrypt\$ln=5,r=7,p=2\$[A-Za-z0-9+\/]{22}\$[A-Za-z0-9+\/]{43}/) != nil)
        #expect(PasswordHash(hash.text) == hash)
        #expect(hash.salt.count == 16 && hash.hash.count == 32)
    }

    @Test("Every length of salt and hash comes back, in the alphabet of base 64")
    func base64() throws {
        for length in 0..<67 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ length) }
            let text = Base64.encode(bytes)
            #expect(text == Data(bytes).base64EncodedString().replacing("=", with: ""))
            #expect(Base64.decode(text) == bytes)
        }
        for bad in ["A", "AAAAA", "AA==", "A A", "AA-_", "AAé"] { #expect(Base64.decode(bad) == nil, "\(bad)") }
    }

    @Test(
        "What is no such string is none",
        arguments: [
            "", "password1", "$scrypt$", "$2b$12$abcdefghijklmnopqrstuv",
            "scrypt$ln=4,r=8,p=1$AAEC$AAECAwQFBgcICQoLDA0ODw",
            "$scrypt$ln=4,r=8$AAEC$AAECAwQFBgcICQoLDA0ODw", "$scrypt$ln=4,r=8,p=1$AAEC$", "$scrypt$ln=4,r=8,p=1$$AAEC",
            "$scrypt$ln=x,r=8,p=1$AAEC$AAECAwQFBgcICQoLDA0ODw", "$scrypt$r=8,ln=4,p=1$AAEC$AAECAwQFBgcICQoLDA0ODw",
            "$scrypt$ln=4,r=8,p=1$AAEC$AAECAwQFBgcICQoLDA0ODw$", "$scrypt$ln=4,r=8,p=1$A*EC$AAECAwQFBgcICQoLDA0ODw",
            "$scrypt$ln=4,r=8,p=99999999999999999999$AAEC$AAECAwQFBgcICQoLDA0ODw",
        ])
    func malformed(text: String) {
        #expect(PasswordHash(text) == nil)
    }

    @Test("The pepper comes from SECRET_KEY: another implementation agrees, another secret does not")
    func pepper() async throws {
        let known = try #require(PasswordHash(Self.known))
        #expect(try await Self.hasher().verify("password1é", against: known))
        #expect(try await !Self.hasher().verify("password1e", against: known))
        let other = try Self.hasher(secret: "another secret, thirty-two characters or more")
        #expect(try await !other.verify("password1é", against: known))
    }

    @Test("Each hash has a salt of its own")
    func salt() async throws {
        let hasher = try Self.hasher()
        let hashes = [try await hasher.hash("password1"), try await hasher.hash("password1")]
        #expect(hashes[0].salt != hashes[1].salt && hashes[0].hash != hashes[1].hash)
        for hash in hashes { #expect(try await hasher.verify("password1", against: hash)) }
    }

    @Test("A hash with other parameters is checked with those, and outdated")
    func outdated() async throws {
        let old = try await Self.hasher(.init(logN: 3, r: 4, p: 2)).hash("password1")
        let hasher = try Self.hasher()
        #expect(try await hasher.verify("password1", against: old))
        #expect(try await !hasher.verify("password2", against: old))
        #expect(hasher.isOutdated(old))
        #expect(try await !hasher.isOutdated(hasher.hash("password1")))
    }

    @Test("Without a hash the answer is no, after as much work")
    func decoy() async throws {
        let hasher = try Self.hasher(.init(logN: 14, r: 8, p: 1))
        let hash = try await hasher.hash("password1")
        func time(_ stored: PasswordHash?) async throws -> Duration {
            let start = ContinuousClock.now
            #expect(try await !hasher.verify("password2", against: stored))
            return ContinuousClock.now - start
        }
        var known: [Duration] = []
        var unknown: [Duration] = []
        for _ in 0..<5 {
            known.append(try await time(hash))
            unknown.append(try await time(nil))
        }
        // The fastest of each: what the work takes when nothing disturbs it.
        let (a, b) = (known.min() ?? .zero, unknown.min() ?? .zero)
        #expect(b > a / 2 && b < a * 2, "\(known) \(unknown)")
    }
}
