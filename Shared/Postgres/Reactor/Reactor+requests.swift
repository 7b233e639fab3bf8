import CLibpq

extension Reactor {
    /// Most reads in one batch: a failure makes all after it in the batch start again.
    static let batchLimit = 64
    /// Most times a read is sent, whatever takes it down.
    static let attemptLimit = 5

    private func isAccepted(_ request: Request, queue: Int) -> Bool {
        request.arrival = now
        request.deadline = now + acquireTimeout
        if request.isCancelled {
            request.fail(PostgresError(.cancelled, "cancelled before it was sent"))
        } else if isDraining {
            request.fail(PostgresError(.closed, "the client is shutting down"))
        } else if queue >= configuration.maxWaiters {
            request.fail(PostgresError(.poolExhausted, "too many wait already"))
        } else {
            return true
        }
        return false
    }

    // MARK: Reads

    func acceptRead(_ request: Request) {
        if isAccepted(request, queue: reads.count) { reads.append(request) }
    }

    /// Fills the shared connections that have room with what waits, one Sync to a batch.
    func sendReads() {
        while !reads.isEmpty, let connection = leastLoaded() {
            connection.lastProgress = connection.machine.isAwaitingReply ? connection.lastProgress : now
            sendBatch(on: connection)
        }
    }

    private func leastLoaded() -> ServerConnection? {
        shared.first { !$0.machine.isAwaitingReply && !$0.machine.isInterrupting && !$0.isLost }
    }

    private func sendBatch(on connection: ServerConnection) {
        var isSent = connection.sendEvictions()
        var count = 0
        while isSent, count < Self.batchLimit, let request = reads.first {
            if !request.isWaiting {
                _ = reads.popFirst()
                continue
            }
            // One that was hit by a neighbour's failure goes by itself.
            if request.isAlone, count > 0 { break }
            _ = reads.popFirst()
            if request.sent == 0 { request.sent = now }
            isSent = connection.send(request, .repeatable, scratch)
            if !isSent { reads.prepend(request) }
            count += 1
            if request.isAlone { break }
        }
        guard isSent, count == 0 || connection.sync() else { return lose(connection, nil) }
        flush(connection)
    }

    // MARK: Writes, transactions and sessions

    func acceptWrite(_ request: Request) {
        if isAccepted(request, queue: waiters.count) { waiters.append(.write(request)) }
    }

    func accept(_ request: Request, of lease: Lease) {
        request.arrival = now
        request.deadline = now + acquireTimeout
        request.lease = lease
        if request.isCancelled { return request.fail(PostgresError(.cancelled, "cancelled before it was sent")) }
        if lease.isClosed { return request.fail(PostgresError(.closed, "the transaction or session is over")) }
        if let loss = lease.loss { return request.fail(loss) }
        if let connection = lease.connection {
            lease.queue.append(request)
            if connection.isReadyForWork { proceed(connection) }
        } else if lease.isWaiting {
            lease.queue.append(request)
        } else if isAccepted(request, queue: waiters.count) {
            lease.isWaiting = true
            waiters.append(.lease(lease, request))
        }
    }

    /// Gives idle connections to those who wait, in their order.
    func serveWaiters() {
        while let waiter = waiters.first {
            if !waiter.request.isWaiting {
                _ = waiters.popFirst()
                continue
            }
            guard let connection = idle.popLast() else { return }
            _ = waiters.popFirst()
            serve(waiter, on: connection)
        }
    }

    private func serve(_ waiter: Waiter, on connection: ServerConnection) {
        connection.lastProgress = now
        switch waiter {
        case .write(let request):
            request.sent = now
            guard connection.sendEvictions(), connection.send(request, .once, scratch), connection.sync() else {
                return neverSent(waiter, on: connection)
            }
            flush(connection)
        case .lease(let lease, let request):
            lease.isWaiting = false
            lease.connection = connection
            connection.lease = lease
            lease.queue.prepend(request)
            proceed(connection)
        }
    }

    /// libpq refused to take it: the connection was dead already, another may serve.
    private func neverSent(_ waiter: Waiter, on connection: ServerConnection) {
        let request = waiter.request
        lose(connection, nil)
        guard request.isWaiting else { return }
        if request.attempts < Self.attemptLimit {
            waiters.prepend(waiter)
        } else {
            request.fail(PostgresError(.connectionLost, "it could not be sent"))
        }
    }

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
        case (.session, .simple):
            isSent = connection.sendSimple(request)
        case (.session, .prepared):
            let fate: ServerConnection.Machine.Fate = connection.isInTransaction ? .transaction : .once
            isSent = connection.sendEvictions() && connection.send(request, fate, scratch) && connection.sync()
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
        // A lone statement left a transaction open, or failed to end one.
        guard !connection.isInTransaction else { return lose(connection, nil) }
        connection.idleSince = now
        connection.patience = patience
        idle.append(connection)
    }

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
            leaseAnswered(connection, error)
            answer(request, connection) { $0.fail(error) }
        case .resend(let request, let alone): resend(request, alone: alone)
        case .heal(let request): heal(request, connection)
        case .feed(let request, let rows):
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
        request.deadline = now + acquireTimeout
        reads.prepend(request)
    }

    /// Its prepared statement is not what we took it for. It did not run, so even a write may go again; not inside a
    /// transaction, which has failed with it and must be run again as a whole.
    private func heal(_ request: Request, _ connection: ServerConnection) {
        connection.statements.forgetAll()
        request.connection = nil
        guard request.isWaiting else { return }
        let stale = PostgresError(.server, "a prepared statement had gone stale", sqlState: PostgresError.staleStatement)
        guard request.attempts < Self.attemptLimit, !connection.isInTransaction else {
            leaseAnswered(connection, stale)
            return request.fail(stale)
        }
        switch (connection.role, connection.lease) {
        case (.shared, _): resend(request, alone: true)
        case (.exclusive, let lease?): lease.queue.prepend(request)
        case (.exclusive, nil): waiters.prepend(.write(request))
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
                        connection.pg, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: buffer.count)) == 1
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
