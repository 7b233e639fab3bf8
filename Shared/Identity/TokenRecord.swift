#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the other processes need to know of a user to decide what they may do.
public struct UserFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// May review heroes.
    public static let staff = UserFlags(rawValue: 1)
    /// Has a verified email address.
    public static let emailVerified = UserFlags(rawValue: 2)
    /// Has a verified phone number.
    public static let phoneVerified = UserFlags(rawValue: 4)
    /// Has a payment method that its provider confirmed.
    public static let paymentVerified = UserFlags(rawValue: 8)
}

/// What a live token stands for. The truth is a row of accounts; this is the copy that travels.
public struct TokenRecord: Sendable, Hashable {
    /// Whose token it is.
    public var userID: UUID
    /// What the user had when the record was written.
    public var flags: UserFlags
    /// The token's row, to tell one session from another without its secret.
    public var tokenID: Int64
    /// Counts the changes of the user's flags, so that an older copy never replaces a newer one.
    public var version: Int64
    /// Unix time in seconds after which the token is refused.
    public var expires: Int64

    public init(userID: UUID, flags: UserFlags, tokenID: Int64, version: Int64, expires: Int64) {
        self.userID = userID
        self.flags = flags
        self.tokenID = tokenID
        self.version = version
        self.expires = expires
    }

    /// The record on one line, as Redis keeps it and as accounts answers: `1 <version> <user> <flags> <token id> <expires>`.
    public var text: String {
        "1 \(version) \(userID.uuidString.lowercased()) \(flags.rawValue) \(tokenID) \(expires)"
    }

    /// A record that ``text`` wrote, or nil.
    public init?(_ text: some StringProtocol) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0] == "1", let version = Int64(words[1]),
            let user = UUID(uuidString: String(words[2])),
            let flags = UInt8(words[3]), let tokenID = Int64(words[4]), let expires = Int64(words[5])
        else { return nil }
        self.init(
            userID: user, flags: UserFlags(rawValue: flags), tokenID: tokenID, version: version, expires: expires)
    }

    /// The value that stands where a revoked token's record stood. Nothing may replace it, so that a copy which was
    /// on its way when the token was revoked can't bring it back.
    public static let tombstone = "revoked"

    /// Every key of a token starts with this; the gateway follows changes below it.
    public static let redisKeyPrefix = "techheroes:token:"

    /// Where Redis keeps a token's record. The server's `run_id` is part of it: a server that restarts, perhaps from
    /// an old snapshot, or a replica that takes over, perhaps a little behind, starts with no copies at all.
    public static func redisKey(serverRunID: String, hash: TokenHash) -> String {
        "\(redisKeyPrefix)\(serverRunID):\(hash.hex)"
    }
}
