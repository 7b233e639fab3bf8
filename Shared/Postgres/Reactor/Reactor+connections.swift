import CLibpq
import Logging

extension Reactor {
    /// Opens what is wanted and missing: several at once while that works, one at a time with growing pauses while not.
    func openConnections() {
        guard isStarted, !isDraining else { return }
        var attempts = connecting.values.reduce(0, +)
        let most = connectFailures > 0 ? 1 : 4
        while attempts < most, connectFailures == 0 || now >= nextConnect, let role = wantedRole {
            connecting[role, default: 0] += 1
            attempts += 1
            ConnectAttempt(role: role, configuration: configuration, mailbox: mailbox).start()
        }
    }

    private var wantedRole: ServerConnection.Role? {
        if shared.count + connecting[.shared, default: 0] < configuration.readConnections { return .shared }
        let dialing = connecting[.exclusive, default: 0]
        let isRoom = exclusiveCount + dialing < configuration.maxConnections
        return isRoom && waiters.count > dialing ? .exclusive : nil
    }

    func connected(_ outcome: ConnectAttempt.Outcome) {
        connecting[outcome.role, default: 1] -= 1
        switch outcome.result {
        case .success(let handle):
            if connectFailures > 0 { logger.info("Postgres is back") }
            connectFailures = 0
            lastConnectError = nil
            lastID += 1
            let connection = ServerConnection(
                id: lastID, role: outcome.role, pg: handle.pg, cacheSize: configuration.statementCacheSize)
            guard !isDraining, register(connection) else { return }
            connections[connection.id] = connection
            connection.patience = patience
            connection.lastProgress = now
            switch outcome.role {
            case .shared: shared.append(connection)
            case .exclusive:
                exclusiveCount += 1
                rest(connection)
            }
        case .failure(let error):
            if connectFailures == 0 {
                logger.warning("Postgres can't be reached", metadata: ["error": "\(error)"])
                logger.debug("Postgres can't be reached", metadata: ["reason": "\(error.message)"])
            }
            connectFailures += 1
            lastConnectError = error
            let pause = min(50_000_000 << UInt64(min(connectFailures, 5)), 1_000_000_000) as UInt64
            // Half of it by chance, so that many processes do not come back all at once.
            nextConnect = now + UInt64.random(in: (pause / 2)...pause)
        }
    }

    /// Drops a connection and tells everyone on it what that means for them.
    func lose(_ connection: ServerConnection, _ cause: ServerFailure?, timedOut: Bool = false) {
        guard !connection.isLost else { return }
        connection.isLost = true
        unregister(connection)
        connections[connection.id] = nil
        switch connection.role {
        case .shared: shared.removeAll { $0 === connection }
        case .exclusive:
            exclusiveCount -= 1
            idle.removeAll { $0 === connection }
        }
        logger.debug(
            "Postgres connection lost",
            metadata: ["sqlState": "\(cause?.sqlState ?? "")", "timedOut": "\(timedOut)"])

        let error = cause?.error(.connectionLost) ?? PostgresError(.connectionLost, "the connection was lost")
        var isHead = true
        for action in connection.machine.lost(cause) {
            act(timedOut && isHead ? blaming(action) : action, connection)
            isHead = false
        }
        connection.chunkBeingFlushed?.fail(error)
        connection.chunkBeingFlushed = nil
        if let lease = connection.lease {
            connection.lease = nil
            lease.connection = nil
            lease.loss = error
            lease.copyEnd?.fail(error)
            while let request = lease.queue.popFirst() { request.fail(error) }
            lease.notifications?.finish()
            if let ending = lease.ending { end(lease, ending) }
        }
    }

    /// What the head of the line hears when it kept the connection silent for too long.
    private func blaming(_ action: ServerConnection.Machine.Action) -> ServerConnection.Machine.Action {
        switch action {
        case .resend(let request, _): .fail(request, PostgresError(.timedOut, "the server fell silent"))
        case .fail(let request, let error) where error.code == .connectionLost:
            .fail(request, PostgresError(.timedOut, "the server fell silent"))
        default: action
        }
    }

    // MARK: Time

    func expire() {
        for connection in Array(connections.values) { expire(connection) }
        let now = now
        var late: [Request] = []
        reads.removeAll { request in
            let isLate = request.deadline <= now || !request.isWaiting
            if isLate { late.append(request) }
            return isLate
        }
        waiters.removeAll { waiter in
            let isLate = waiter.request.deadline <= now
            if isLate {
                late.append(waiter.request)
                if case .lease(let lease, _) = waiter {
                    lease.isWaiting = false
                    while let request = lease.queue.popFirst() { late.append(request) }
                }
            }
            return isLate
        }
        for request in late { request.fail(noConnection) }
        spillReads()
    }

    /// Slow reads hold every shared connection: those behind them go where writes go, one to a connection.
    private func spillReads() {
        guard shared.count == configuration.readConnections, connectFailures == 0 else { return }
        while let request = reads.first, now &- request.queued > 50_000_000, waiters.count < configuration.maxWaiters {
            _ = reads.popFirst()
            waiters.append(.read(request))
        }
    }

    /// Why nobody could be served within the wait.
    private var noConnection: PostgresError {
        connections.isEmpty || connectFailures > 0
            ? PostgresError(.unavailable, "no connection to the server", cause: lastConnectError)
            : PostgresError(.poolExhausted, "all connections stayed busy")
    }

    private func expire(_ connection: ServerConnection) {
        let silence = now &- connection.lastProgress
        if connection.machine.isAwaitingReply {
            let mayKeepSilent = connection.isCopying && connection.chunkBeingFlushed == nil
            if !mayKeepSilent, let patience = connection.patience, silence > patience {
                return lose(connection, nil, timedOut: true)
            }
            if connection.machine.headIsAbandoned, silence > 50_000_000, connection.machine.interruptHead() {
                interrupt(connection)
            }
        } else if connection.role == .exclusive, connection.lease == nil, idle.count > 1,
            now &- connection.idleSince > configuration.idleTimeout.nanoseconds
        {
            return lose(connection, nil)
        }
        // A server too far gone to be told to stop: PQcancel hangs.
        if let since = connection.interruptedAt, now &- since > configuration.cancelTimeout.nanoseconds {
            lose(connection, nil, timedOut: true)
        }
    }

    // MARK: Cancellation

    func cancel(_ request: Request) {
        request.isCancelled = true
        guard request.isWaiting else { return }
        guard let connection = request.connection else {
            // Before its own message, it is refused when that comes; in a queue, now.
            guard request.arrival > 0 else { return }
            reads.removeAll { $0 === request }
            withdraw(request)
            return request.fail(PostgresError(.cancelled, "cancelled before it was sent"))
        }
        switch connection.machine.cancel(request) {
        case .unknown: break
        case .abandon: request.fail(PostgresError(.cancelled, "cancelled"))
        case .interrupt: interrupt(connection)
        case .abandonAndInterrupt:
            request.fail(PostgresError(.cancelled, "cancelled"))
            interrupt(connection)
        }
    }

    private func withdraw(_ request: Request) {
        let count = waiters.count
        waiters.removeAll { $0.request === request }
        guard let lease = request.lease else { return }
        guard waiters.count < count else { return lease.queue.removeAll { $0 === request } }
        // Another of its statements waits in its place now.
        if let next = lease.queue.popFirst() {
            waiters.append(.lease(lease, next))
        } else {
            lease.isWaiting = false
        }
    }

    private func interrupt(_ connection: ServerConnection) {
        connection.interruptedAt = now
        let request = CancelRequest(connection.pg, connection: connection.id, mailbox: mailbox)
        if request?.start() != true { lose(connection, nil) }
    }

    func cancelRequestFinished(_ id: Int) {
        guard let connection = connections[id] else { return }
        connection.interruptedAt = nil
        connection.machine.interruptFinished()
        if connection.role == .exclusive, connection.isReadyForWork { proceed(connection) }
    }
}
