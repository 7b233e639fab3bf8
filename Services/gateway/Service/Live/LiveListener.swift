import Identity
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One stream of events: who listens, how far they have been told, and whether they may be told more.
final class LiveListener {
    let user: UUID
    let tokenID: Int64
    let token: Token
    let hash: TokenHash
    /// Where it is written to.
    unowned let client: ClientConnection
    /// Where the dispatcher keeps it.
    var index = 0

    /// Told through here. While it ``isFlowing``, what the dispatcher has told all counts as well.
    var seen = LiveCursor()
    /// What was last written as an `id`.
    var lastID = LiveCursor()
    /// Whether something was missed that can't be told any more.
    var owesReset = false
    /// Whether the token is known to be good, and any change of that would be heard.
    var isConfirmed = false
    /// Whether everything up to now has been written, and the next event goes out when it comes.
    var isFlowing = false
    /// Whether its token is being looked up.
    var isAsking = false
    /// How often there was reason to doubt the token.
    var doubts: UInt32 = 0
    var hasEnded = false

    var confirmedAt: NIODeadline
    var recheckAt: NIODeadline
    var lastWrite: NIODeadline
    /// Since when the client has left unread what it was sent.
    var blockedSince: NIODeadline?

    init(user: Claims.User, token: Token, hash: TokenHash, client: ClientConnection, now: NIODeadline) {
        self.user = user.id
        self.tokenID = user.tokenID
        self.token = token
        self.hash = hash
        self.client = client
        confirmedAt = now
        recheckAt = now
        lastWrite = now
    }

    /// Why a stream ends before its client ends it.
    enum End: String, CaseIterable {
        /// The token was revoked, or has expired.
        case revoked
        /// For too long nobody could say whose the token is.
        case doubt
        /// The client did not read.
        case slow
        /// The gateway is going away.
        case drained
    }
}
