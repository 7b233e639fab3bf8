extension Reactor {
    /// Most reads in one batch: a failure makes all after it in the batch start again.
    static let batchLimit = 64
    /// Most times a read is sent, whatever takes it down.
    static let attemptLimit = 5

    private func isAccepted(_ request: Request, queue: Int) -> Bool {
        request.arrival = now
        request.queued = now
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
        request.isRead = true
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
            guard let connection = takeIdle() else { return }
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
        case .read(let request):
            request.sent = now
            // These connections may write; a read that may be sent twice must not.
            guard connection.sendEvictions(), connection.sendAside("BEGIN READ ONLY"),
                connection.send(request, .repeatable, scratch), connection.sendAside("COMMIT"), connection.sync()
            else { return neverSent(waiter, on: connection) }
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
}
