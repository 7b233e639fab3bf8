import CLibpq

/// One connection: carries out what its state machine says. Everything here happens on the reactor's thread.
final class ServerConnection {
    typealias Machine = ConnectionStateMachine<Request, PostgresRows>

    enum Role {
        /// Shared by reads, in pipeline mode.
        case shared
        /// One lone write, transaction or session at a time.
        case exclusive
    }

    let id: Int
    let role: Role
    let pg: OpaquePointer
    let socket: Int32
    var machine = Machine()
    var statements: StatementCache
    /// Statements to deallocate on the server with the next batch.
    var evicted: [String] = []
    var lease: Lease?
    /// The server did something: the clock of the silence that proves it dead starts again.
    var lastProgress: UInt64 = 0
    var idleSince: UInt64 = 0
    /// It waits in the pool for its next user.
    var isIdle = false
    /// Silence the present statement may keep; nil is without end.
    var patience: UInt64?
    /// When a cancel request was sent.
    var interruptedAt: UInt64?
    var isWatchingWrites = false
    /// The server awaits COPY data, so it will say nothing.
    var isCopying = false
    /// Waits until what it handed over has left.
    var chunkBeingFlushed: CopyChunk?
    /// Its last user left a transaction open.
    var isRollingBack = false
    /// It is closed instead of given back.
    var isSuspect = false
    /// What was last received left it useless.
    var isBroken = false
    /// Set once it must not be used any more.
    var isLost = false

    init(id: Int, role: Role, pg: OpaquePointer, cacheSize: Int) {
        self.id = id
        self.role = role
        self.pg = pg
        self.socket = PQsocket(pg)
        self.statements = StatementCache(limit: cacheSize)
    }

    deinit { PQfinish(pg) }

    var isInTransaction: Bool { PQtransactionStatus(pg) != PQTRANS_IDLE }
    var isReadyForWork: Bool { machine.isIdle && !isLost }

    // MARK: Sending. False: libpq would not take it, nothing of this call was sent.

    /// A statement, prepared first when this connection does not know it.
    func send(_ request: Request, _ fate: Machine.Fate, _ scratch: ParameterScratch) -> Bool {
        let statement: StatementCache.Statement
        if let known = statements.find(request.sql) {
            statement = known
        } else {
            let (made, old) = statements.insert(request.sql)
            if let old { evicted.append(old) }
            guard prepare(made, request.sql) else {
                statements.forget(made.id)
                return false
            }
            machine.send(.prepare(statement: made.id))
            statement = made
        }
        guard scratch.execute(request.sql, statement.name, on: pg) else { return false }
        machine.send(.query(.init(work: request, fate: fate, statement: statement.id)))
        request.connection = self
        request.attempts += 1
        return true
    }

    private func prepare(_ statement: StatementCache.Statement, _ sql: SQL) -> Bool {
        let types = sql.values.entries.map(\.type)
        return PQsendPrepare(pg, statement.name, sql.text, Int32(types.count), types) == 1
    }

    /// A statement of our own, before the one it serves.
    func sendAside(_ text: String) -> Bool {
        guard PQsendQueryParams(pg, text, 0, nil, nil, nil, nil, 1) == 1 else { return false }
        machine.send(.aside)
        return true
    }

    func sendEvictions() -> Bool {
        guard !evicted.isEmpty else { return true }
        for name in evicted where !sendAside("DEALLOCATE \(name)") { return false }
        evicted.removeAll()
        return true
    }

    func sync() -> Bool {
        guard PQpipelineSync(pg) == 1 else { return false }
        machine.send(.sync)
        return true
    }

    /// A statement that is not worth remembering, or must not be.
    func sendUnprepared(_ request: Request, _ fate: Machine.Fate) -> Bool {
        guard PQsendQueryParams(pg, request.sql.text, 0, nil, nil, nil, nil, 1) == 1 else { return false }
        machine.send(.query(.init(work: request, fate: fate)))
        request.connection = self
        return true
    }

    /// Back to pipeline mode after a script or COPY.
    func resumePipeline() -> Bool {
        PQpipelineStatus(pg) != PQ_PIPELINE_OFF || PQenterPipelineMode(pg) == 1
    }

    /// Leaves pipeline mode for a script or COPY. The connection must be idle.
    func sendSimple(_ request: Request) -> Bool {
        guard PQexitPipelineMode(pg) == 1, PQsendQuery(pg, request.sql.text) == 1 else { return false }
        machine.send(.simple(.init(work: request, fate: .once)))
        request.connection = self
        return true
    }

    /// - Returns: nil when the connection is broken, else whether something is left to be written.
    func flush() -> Bool? {
        switch PQflush(pg) {
        case 0: false
        case 1: true
        default: nil
        }
    }

    // MARK: Receiving

    /// Hands every reply that has arrived to the machine, and what it makes of it to `act`.
    /// - Returns: false when the connection is lost; `cause` then says why, if the server did.
    func receive(cause: inout ServerFailure?, _ act: (Machine.Action) -> Void) -> Bool {
        let isAlive = PQconsumeInput(pg) == 1
        while machine.isAwaitingReply, !isCopying, PQisBusy(pg) == 0 {
            let reply: Machine.Reply
            if let pointer = PQgetResult(pg) {
                reply = Self.reply(ServerResult(pointer))
            } else {
                reply = .end
                // Without a connection libpq answers nil for ever.
                if PQstatus(pg) == CONNECTION_BAD { return false }
            }
            if case .failure(let failure) = reply, failure.isFatal || PQstatus(pg) == CONNECTION_BAD {
                // libpq's own reports have no SQLSTATE.
                if !failure.sqlState.isEmpty || cause == nil { cause = failure }
                return false
            }
            switch machine.received(reply) {
            case .close(let failure):
                cause = failure
                return false
            case .prepared: continue
            case .forget(let statement): statements.forget(statement)
            case .none: continue
            case let action:
                act(action)
                if isBroken { return false }
            }
        }
        return isAlive && PQstatus(pg) != CONNECTION_BAD
    }

    private static func reply(_ result: ServerResult) -> Machine.Reply {
        switch PQresultStatus(result.pointer) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_SINGLE_TUPLE: .answer(PostgresRows(result))
        case PGRES_PIPELINE_SYNC: .synced
        case PGRES_PIPELINE_ABORTED: .aborted
        case PGRES_COPY_IN: .copyIn(PostgresRows(result))
        case PGRES_FATAL_ERROR: .failure(result.failure)
        case PGRES_EMPTY_QUERY: .failure(ServerFailure(sqlState: "42601", message: "an empty statement"))
        // COPY TO STDOUT and replication are not spoken here.
        default: .failure(ServerFailure(sqlState: "", isFatal: true, message: "an unexpected reply"))
        }
    }

    /// Notifications that came with what was read last.
    func takeNotifications(_ take: (PostgresNotification) -> Void) {
        while let notification = PQnotifies(pg) {
            take(
                PostgresNotification(
                    channel: String(cString: notification.pointee.relname),
                    payload: String(cString: notification.pointee.extra), processID: notification.pointee.be_pid))
            PQfreemem(notification)
        }
    }
}

extension ServerResult {
    fileprivate func field(_ code: Character) -> String? {
        guard let value = code.asciiValue, let text = PQresultErrorField(pointer, Int32(value)) else { return nil }
        return String(cString: text)
    }

    /// The fields of an error (protocol, "Error and Notice Message Fields").
    var failure: ServerFailure {
        let severity = field("V")
        return ServerFailure(
            sqlState: field("C") ?? "", isFatal: severity == "FATAL" || severity == "PANIC",
            message: field("M") ?? String(cString: PQresultErrorMessage(pointer)), constraint: field("n"),
            table: field("t"), column: field("c"), routine: field("R"))
    }
}
