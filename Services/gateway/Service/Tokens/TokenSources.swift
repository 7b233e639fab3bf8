import Identity

/// What Redis has under a token's key.
enum TokenCopy: Equatable, Sendable {
    case record(TokenRecord)
    /// The tombstone.
    case revoked
    case missing
}

/// Where a ``TokenCheck`` asks, as closures that are called, and answer, on its event loop.
struct TokenSources {
    /// Whether every change in Redis would be told.
    var isTrusted: () -> Bool
    /// Asks Redis.
    var copy: (TokenHash, _ answer: @escaping (Result<TokenCopy, any Error>) -> Void) -> Void
    /// Asks accounts, which knows the truth; nil for a token that stands for nobody.
    var owner: (TokenHash, _ answer: @escaping (Result<TokenRecord?, any Error>) -> Void) -> Void
    /// Calls back when all changes that were made before have been told, or when nothing is trusted any more.
    var fence: (_ done: @escaping () -> Void) -> Void
}
