import NIOCore

/// What is told of each finished request: metrics and the access log.
final class RequestRecord {
    init() {}

    func finished(_ client: ClientConnection, aborted: Bool) {}
}

extension ClientConnection {
    func finishRecord(aborted: Bool) {
        lane.record.finished(self, aborted: aborted)
    }
}
