import CLibpq

extension Reactor {
    // MARK: What the machine says

    func act(_ action: ServerConnection.Machine.Action, _ connection: ServerConnection) {
        switch action {
        case .none, .prepared, .forget, .close: break
        case .complete(let request, let rows):
            metrics.answered(request, at: now)
            leaseAnswered(connection, nil)
            answer(request, connection) { $0.succeed(rows) }
        case .fail(let request, let error):
            metrics.answered(request, at: now)
            if error.sqlState == "25006" { connection.isSuspect = connection.role == .exclusive }
            leaseAnswered(connection, error)
            answer(request, connection) { $0.fail(error) }
        case .resend(let request, let alone): resend(request, alone: alone)
        case .heal(let request): heal(request, connection)
        case .feed(let request, let rows):
            // Nobody is there to feed a COPY inside a script.
            guard request.kind == .copy else { return connection.isBroken = true }
            connection.isCopying = true
            request.succeed(rows)
        }
    }

    /// A COPY's result goes to the one who ended it; its beginner has been answered when it began.
    private func answer(_ request: Request, _ connection: ServerConnection, _ tell: (Request) -> Void) {
        if !request.isWaiting, let copyEnd = connection.lease?.copyEnd {
            connection.lease?.copyEnd = nil
            tell(copyEnd)
        } else {
            tell(request)
        }
    }

    private func leaseAnswered(_ connection: ServerConnection, _ error: PostgresError?) {
        guard let lease = connection.lease else { return }
        if let error, lease.failure == nil { lease.failure = error }
        if lease.isDone {
            connection.lease = nil
            lease.connection = nil
            lease.notifications?.finish()
        }
    }

    private func resend(_ request: Request, alone: Bool) {
        request.connection = nil
        guard request.isWaiting else { return }
        guard request.attempts < Self.attemptLimit else {
            return request.fail(PostgresError(.connectionLost, "lost \(request.attempts) times"))
        }
        request.isAlone = request.isAlone || alone
        request.queued = now
        request.deadline = now + acquireTimeout
        reads.prepend(request)
    }

    /// Its prepared statement is not what we took it for. It did not run, so even a write may go again; not inside a
    /// transaction, which has failed with it and must be run again as a whole.
    private func heal(_ request: Request, _ connection: ServerConnection) {
        connection.statements.forgetAll()
        request.connection = nil
        guard request.isWaiting else { return }
        let stale = PostgresError(
            .server, "a prepared statement had gone stale", sqlState: PostgresError.staleStatement)
        let mayGoAgain = request.isRead || (!connection.isInTransaction && connection.lease?.isDone != true)
        guard request.attempts < Self.attemptLimit, mayGoAgain else {
            leaseAnswered(connection, stale)
            return request.fail(stale)
        }
        request.deadline = now + acquireTimeout
        if request.isRead {
            resend(request, alone: true)
        } else if let lease = connection.lease {
            lease.queue.prepend(request)
        } else {
            waiters.prepend(.write(request))
        }
    }

    // MARK: COPY

    func copy(_ chunk: CopyChunk, _ lease: Lease) {
        guard let connection = lease.connection, connection.isCopying else {
            return chunk.fail(lease.loss ?? PostgresError(.closed, "no COPY is under way"))
        }
        connection.lastProgress = now
        switch chunk.content {
        case .data(let bytes):
            let isTaken = bytes.withUnsafeBytes { buffer in
                buffer.isEmpty
                    || PQputCopyData(
                        connection.pg, buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                        Int32(clamping: buffer.count)) == 1
            }
            connection.chunkBeingFlushed = chunk
            guard isTaken else { return lose(connection, nil) }
        case .end(let request):
            lease.copyEnd = request
            connection.isCopying = false
            guard PQputCopyEnd(connection.pg, nil) == 1 else { return lose(connection, nil) }
        case .abort(let reason, let request):
            lease.copyEnd = request
            connection.isCopying = false
            guard PQputCopyEnd(connection.pg, reason) == 1 else { return lose(connection, nil) }
        }
        flush(connection)
    }
}
