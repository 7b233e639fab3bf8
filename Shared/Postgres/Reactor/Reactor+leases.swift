extension Reactor {
    /// An exclusive connection has nothing under way: the next statement of its lease, or back to the pool.
    func proceed(_ connection: ServerConnection) {
        connection.interruptedAt = nil
        guard connection.resumePipeline() else { return lose(connection, nil) }
        guard let lease = connection.lease else { return giveBack(connection) }
        connection.lastProgress = now
        if let request = lease.queue.popFirst() {
            guard request.isWaiting else { return proceed(connection) }
            send(request, of: lease, on: connection)
        } else if let ending = lease.ending {
            sendEnding(ending, of: lease, on: connection)
        }
    }

    private func send(_ request: Request, of lease: Lease, on connection: ServerConnection) {
        request.sent = now
        var isSent = true
        switch (lease.kind, request.kind) {
        case (_, .acquire):
            request.succeed(.nothing)
            return proceed(connection)
        case (_, .patience(let timeout)):
            connection.patience = timeout.map { $0.nanoseconds + 1_000_000_000 }
            request.succeed(.nothing)
            return proceed(connection)
        case (.session, .simple), (.session, .copy):
            isSent = connection.sendSimple(request)
        case (.session, .prepared):
            // What the session does with transactions is its own affair: any statement may be a COMMIT.
            isSent = connection.sendEvictions() && connection.send(request, .commit, scratch) && connection.sync()
        case (.transaction(let begin), _):
            isSent = connection.sendEvictions()
            if isSent, !lease.hasBegun {
                isSent = connection.sendAside(begin.text)
                lease.hasBegun = true
            }
            isSent = isSent && connection.send(request, .transaction, scratch) && connection.sync()
        }
        if isSent { return flush(connection) }
        lose(connection, nil)
        request.fail(PostgresError(.connectionLost, "it could not be sent"))
    }

    func finish(_ lease: Lease, _ ending: Lease.Ending, _ request: Request) {
        request.arrival = now
        lease.isClosed = true
        guard let connection = lease.connection else {
            if lease.isWaiting { waiters.removeAll { $0.request.lease === lease } }
            while let queued = lease.queue.popFirst() { queued.fail(PostgresError(.closed, "the transaction is over")) }
            return end(lease, (ending, request))
        }
        lease.ending = (ending, request)
        if connection.isCopying { return lose(connection, nil) }
        if connection.isReadyForWork { proceed(connection) }
    }

    /// Nothing is left of the lease on any connection.
    func end(_ lease: Lease, _ ending: (ending: Lease.Ending, request: Request)) {
        lease.ending = nil
        lease.notifications?.finish()
        if ending.ending == .commit, let loss = lease.loss {
            ending.request.fail(loss)
        } else {
            ending.request.succeed(.nothing)
        }
    }

    private func sendEnding(
        _ ending: (ending: Lease.Ending, request: Request), of lease: Lease, on connection: ServerConnection
    ) {
        ending.request.sent = now
        var isSent = true
        switch ending.ending {
        case .commit: isSent = connection.send(ending.request, .commit, scratch)
        case .rollback: isSent = connection.send(ending.request, .transaction, scratch)
        case .discard:
            connection.patience = patience
            // Each with its own Sync: DISCARD ALL refuses to run in any transaction, implicit ones too.
            if connection.isInTransaction { isSent = connection.sendAside("ROLLBACK") && connection.sync() }
            isSent = isSent && connection.sendUnprepared(ending.request, .transaction)
            connection.statements.forgetAll()
            connection.evicted.removeAll()
        }
        lease.ending = nil
        guard isSent, connection.sync() else {
            lease.ending = ending
            return lose(connection, nil)
        }
        lease.isDone = true
        flush(connection)
    }

    private func giveBack(_ connection: ServerConnection) {
        guard !isDraining || !waiters.isEmpty else { return lose(connection, nil) }
        if connection.isSuspect { return lose(connection, nil) }
        if connection.isInTransaction {
            // Left open by a lone BEGIN, or by a read that failed; closed once, or the connection goes.
            let isSent = !connection.isRollingBack && connection.sendAside("ROLLBACK") && connection.sync()
            connection.isRollingBack = true
            return isSent ? flush(connection) : lose(connection, nil)
        }
        connection.isRollingBack = false
        rest(connection)
    }

    /// Into the pool, whence ``takeIdle()`` gives it to one user.
    func rest(_ connection: ServerConnection) {
        connection.idleSince = now
        connection.patience = patience
        connection.isIdle = true
        idle.append(connection)
    }

    func takeIdle() -> ServerConnection? {
        let connection = idle.popLast()
        connection?.isIdle = false
        return connection
    }
}
