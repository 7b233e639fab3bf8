/// What NOTIFY sent to a channel that a session listens to.
public struct PostgresNotification: Sendable, Hashable {
    public let channel: String
    public let payload: String
    /// The server process of the session that sent it.
    public let processID: Int32
}
