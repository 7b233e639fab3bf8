import CLibpq
import Synchronization

/// Asks the server to stop what runs on a connection, on a thread of its own because PQcancel connects and waits.
struct CancelRequest: @unchecked Sendable {
    // Sendable without check: a PGcancel is a copy of what the cancelling needs, owned by this request alone, and
    // libpq allows PQcancel from any thread.
    private let cancel: OpaquePointer
    let connection: Int
    let mailbox: Mailbox

    init?(_ pg: OpaquePointer, connection: Int, mailbox: Mailbox) {
        guard let cancel = PQgetCancel(pg) else { return nil }
        self.cancel = cancel
        self.connection = connection
        self.mailbox = mailbox
    }

    /// - Returns: false when it could not be started.
    func start() -> Bool {
        mailbox.blockedThreads.add(1, ordering: .relaxed)
        let started = DetachedThread.start("postgres-cancel") {
            defer { mailbox.blockedThreads.subtract(1, ordering: .releasing) }
            var reason = [CChar](repeating: 0, count: 256)
            // Returns when the server has closed the connection, so when the signal has been sent.
            _ = PQcancel(cancel, &reason, Int32(reason.count))
            PQfreeCancel(cancel)
            mailbox.put(.cancelRequestFinished(connection: connection))
        }
        if !started {
            PQfreeCancel(cancel)
            mailbox.blockedThreads.subtract(1, ordering: .relaxed)
        }
        return started
    }
}
