/// What every event loop is told of one service's events.
enum LiveNews: Sendable {
    /// What was told before is void. What comes after `floor` can be told; `head` is the present.
    case restart(ServiceName, floor: Int64, head: Int64)
    /// The next events, in order; there is nothing else that could be told until `through`.
    case events(ServiceName, [LiveEvent], through: Int64)
}
