/// One statement on its way, and the task that waits for it.
///
/// Sendable without check: `continuation` is set before the request is put into the mailbox, whose lock orders the
/// two threads; everything below it is touched by the reactor's thread alone.
final class Request: Equatable, @unchecked Sendable {
    typealias Continuation = UnsafeContinuation<PostgresRows, any Error>

    enum Kind: Equatable {
        case prepared
        /// Several statements in the simple protocol: no parameters.
        case simple
        /// COPY FROM STDIN, in the simple protocol too; answered when the server awaits the data.
        case copy
        /// Nothing to send: have a connection, then answer.
        case acquire
        /// Nothing to send: how long the server may be silent from now on.
        case patience(Duration?)
    }

    let sql: SQL
    let kind: Kind
    var continuation: Continuation?

    // The reactor's own.
    var arrival: UInt64 = 0
    var sent: UInt64 = 0
    /// When it came into the queue it waits in.
    var queued: UInt64 = 0
    /// How long it may still wait in a queue.
    var deadline: UInt64 = 0
    var attempts = 0
    /// Must not share a batch: a neighbour's failure has hit it already.
    var isAlone = false
    /// May be sent more than once.
    var isRead = false
    var isCancelled = false
    /// Where it runs.
    var connection: ServerConnection?
    /// Part of which transaction or session.
    var lease: Lease?

    init(_ sql: SQL, kind: Kind = .prepared) {
        self.sql = sql
        self.kind = kind
    }

    static func == (left: Request, right: Request) -> Bool { left === right }

    /// True until it has been answered.
    var isWaiting: Bool { continuation != nil }

    func succeed(_ rows: PostgresRows) {
        release()?.resume(returning: rows)
    }

    func fail(_ error: PostgresError) {
        release()?.resume(throwing: error)
    }

    private func release() -> Continuation? {
        defer {
            continuation = nil
            connection = nil
            lease = nil
        }
        return continuation
    }
}

/// A transaction or session: its hold on one connection from its first statement to its end.
///
/// Sendable without check: only the reactor's thread touches what can change; others pass it on.
final class Lease: @unchecked Sendable {
    enum Kind {
        /// Begins with this statement, sent together with the first of the transaction's own.
        case transaction(begin: SQL)
        case session
    }

    enum Ending: Sendable {
        case commit
        case rollback
        /// Puts a session's connection back as new.
        case discard
    }

    let kind: Kind
    /// Where a session's notifications go.
    let notifications: AsyncStream<PostgresNotification>.Continuation?

    // The reactor's own.
    var connection: ServerConnection?
    var isWaiting = false
    var hasBegun = false
    var isClosed = false
    /// COMMIT, ROLLBACK or DISCARD ALL is under way.
    var isDone = false
    /// Why it has no connection any more.
    var loss: PostgresError?
    /// The first failure of one of its statements.
    var failure: PostgresError?
    var queue = FIFO<Request>()
    var ending: (ending: Ending, request: Request)?
    /// Gets the result of the COPY under way.
    var copyEnd: Request?

    init(_ kind: Kind, notifications: AsyncStream<PostgresNotification>.Continuation? = nil) {
        self.kind = kind
        self.notifications = notifications
    }
}

/// A piece of COPY data, or its end.
final class CopyChunk: @unchecked Sendable {
    // Sendable without check: as in Request.
    enum Content {
        case data([UInt8])
        /// The request is answered with the result of the whole.
        case end(Request)
        /// The server is to forget what it got, for this reason.
        case abort(String, Request)
    }

    let content: Content
    var continuation: UnsafeContinuation<Void, any Error>?

    init(_ content: Content) {
        self.content = content
    }

    func accepted() {
        continuation?.resume()
        continuation = nil
    }

    func fail(_ error: PostgresError) {
        continuation?.resume(throwing: error)
        continuation = nil
        switch content {
        case .data: break
        case .end(let request), .abort(_, let request): request.fail(error)
        }
    }
}
