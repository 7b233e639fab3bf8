/// What NOTIFY sent to a channel that a session listens to.
public struct PostgresNotification: Sendable, Hashable {
    /// The channel's name.
    public let channel: String
    /// What was sent with it; empty when nothing was.
    public let payload: String
    /// The server process of the session that sent it.
    public let processID: Int32
}
