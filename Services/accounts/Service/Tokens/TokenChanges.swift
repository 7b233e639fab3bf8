import AccountsDomain
import Identity

/// What a transaction changed of tokens, to be told to Redis once it has committed.
struct TokenChanges: Sendable {
    /// What Redis should keep of one token.
    struct Copy: Sendable {
        var hash: TokenHash
        /// The token's record; nil when it was revoked.
        var record: TokenRecord?
        /// When there is nothing left to keep, on a whole second.
        var expires: Instant
    }

    var copies: [Copy] = []
    /// The rows of `token_sync` that stand for these copies.
    var syncIDs: [Int64] = []
    /// Somebody may do less than before: the client hears of success only after Redis has. Where nothing is left to
    /// change, an earlier try of the request may have made the change and not have reached Redis.
    var mustBeConfirmed = false

    static let none = TokenChanges()

    mutating func append(_ other: TokenChanges) {
        copies += other.copies
        syncIDs += other.syncIDs
        mustBeConfirmed = mustBeConfirmed || other.mustBeConfirmed
    }
}
