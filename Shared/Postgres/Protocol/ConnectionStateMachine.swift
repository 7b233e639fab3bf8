/// What is under way on one connection and what each reply of the server means for it. Pure: no libpq, no clock, no I/O.
///
/// `Work` is what a caller asked for, `Answer` what the server gave for it. In pipeline mode the replies come in the
/// order of the steps: each step has an answer, a failure or an abortion and then an end, a Sync has only itself
/// (libpq, "Pipeline Mode"). Between two Syncs the server keeps one implicit transaction, so a failure aborts what
/// follows up to the Sync, and a write is done only when its Sync has been answered.
struct ConnectionStateMachine<Work: Equatable, Answer> {
    /// What losing the connection means for a piece of work, and when it counts as done.
    enum Fate {
        /// A read: answered with its rows, sent again when a neighbour or the connection takes it down.
        case repeatable
        /// A lone write or session statement: done at its Sync, never sent twice; lost, its outcome is unknown.
        case once
        /// COMMIT: like `once`, and it takes effect before the server says so, whatever error comes next.
        case commit
        /// A statement inside a transaction: lost, it is rolled back.
        case transaction
    }

    struct Query {
        let work: Work
        let fate: Fate
        /// The prepared statement it runs.
        var statement: Int?
        /// Nobody waits for it any more; its reply is dropped.
        var isAbandoned = false
    }

    enum Step {
        case prepare(statement: Int)
        /// Sent on our own account: BEGIN, DEALLOCATE. Its failure belongs to the query after it.
        case aside
        case query(Query)
        case sync
        /// Outside pipeline mode: a script of several statements, or COPY.
        case simple(Query)
    }

    enum Reply {
        case answer(Answer)
        case failure(ServerFailure)
        case aborted
        case end
        case synced
        case copyIn(Answer)
    }

    enum Action {
        case none
        case complete(Work, Answer)
        case fail(Work, PostgresError)
        /// Back to the queue; `alone` when it must not share a batch again.
        case resend(Work, alone: Bool)
        /// Forget what is known of the connection's prepared statements, then send again.
        case heal(Work)
        case prepared(statement: Int)
        case forget(statement: Int)
        /// The server awaits COPY data.
        case feed(Work, Answer)
        /// The connection is of no more use; `lost` says what becomes of the rest.
        case close(ServerFailure?)
    }

    enum Cancellation {
        /// Not here, or already on its way back.
        case unknown
        /// Fail it now; its reply will be dropped.
        case abandon
        /// Tell the server to stop it; its reply tells the rest.
        case interrupt
        /// Both.
        case abandonAndInterrupt
    }

    enum Outcome {
        case answer(Answer)
        case failed(PostgresError)
        case stale
    }

    var steps = FIFO<Step>()
    var batches = 0
    /// The failure of a `prepare` or an `aside`, until the query it belongs to is reached.
    var pending: ServerFailure?
    /// A write's outcome, told when its Sync is answered.
    var held: (query: Query, outcome: Outcome)?
    /// What a cancel request was sent for. The request may hit whatever runs when it arrives, so nothing new is sent
    /// until it has arrived and all that was under way has been answered.
    var interrupted: Work?
    var isRequestUnderWay = false

    /// Nothing is under way.
    var isIdle: Bool { steps.isEmpty && interrupted == nil }
    /// A cancel request may still hit something.
    var isInterrupting: Bool { interrupted != nil }
    var isAwaitingReply: Bool { !steps.isEmpty }
    /// Syncs not yet answered.
    var batchesInFlight: Int { batches }
    /// The query the server is at has been given up by its caller.
    var headIsAbandoned: Bool {
        if case .query(let query) = headQueryStep { query.isAbandoned } else { false }
    }

    var headQueryStep: Step? {
        guard let first = steps.first else { return nil }
        if case .query = first { return first }
        for step in steps {
            if case .query = step { return step }
            if case .sync = step { return nil }
        }
        return nil
    }

    mutating func send(_ step: Step) {
        if case .sync = step { batches += 1 }
        steps.append(step)
    }

    // MARK: Replies

    mutating func received(_ reply: Reply) -> Action {
        guard let head = steps.first else { return .close(nil) }
        if case .failure(let failure) = reply, failure.isFatal { return .close(failure) }
        defer { settle() }
        switch head {
        case .sync: return receivedAtSync(reply)
        case .prepare(let statement): return received(reply, preparing: statement)
        case .aside: return receivedAside(reply)
        case .query(let query): return received(reply, for: query)
        case .simple(let query): return received(reply, forSimple: query)
        }
    }

    private mutating func receivedAtSync(_ reply: Reply) -> Action {
        switch reply {
        case .synced:
            _ = steps.popFirst()
            batches -= 1
            pending = nil
            guard let (query, outcome) = held else { return .none }
            held = nil
            return told(query, outcome)
        case .failure(let failure):
            // The commit of the implicit transaction failed: a deferred constraint, a serialization failure.
            if let query = held?.query { held = (query, .failed(error(for: failure, of: query))) }
            return .none
        case .end: return .none
        case .answer, .aborted, .copyIn: return .close(nil)
        }
    }

    private mutating func received(_ reply: Reply, preparing statement: Int) -> Action {
        switch reply {
        case .answer: return .prepared(statement: statement)
        case .failure(let failure):
            pending = failure
            return .forget(statement: statement)
        case .aborted: return .forget(statement: statement)
        case .end:
            _ = steps.popFirst()
            return .none
        case .synced, .copyIn: return .close(nil)
        }
    }

    private mutating func receivedAside(_ reply: Reply) -> Action {
        switch reply {
        case .answer, .aborted: return .none
        case .failure(let failure):
            pending = failure
            return .none
        case .end:
            _ = steps.popFirst()
            return .none
        case .synced, .copyIn: return .close(nil)
        }
    }

    private mutating func received(_ reply: Reply, for query: Query) -> Action {
        switch reply {
        case .end:
            _ = steps.popFirst()
            return .none
        case .answer(let answer):
            guard query.fate == .repeatable else {
                held = (query, .answer(answer))
                return .none
            }
            return query.isAbandoned ? .none : .complete(query.work, answer)
        case .failure(let failure):
            return failed(query, failure)
        case .aborted:
            if let failure = pending {
                pending = nil
                return failed(query, failure)
            }
            guard query.fate == .repeatable else {
                held = (query, .failed(PostgresError(.transactionAborted, "aborted with its batch")))
                return .none
            }
            return query.isAbandoned ? .none : .resend(query.work, alone: true)
        case .synced, .copyIn: return .close(nil)
        }
    }

    private mutating func received(_ reply: Reply, forSimple query: Query) -> Action {
        switch reply {
        case .answer(let answer):
            if case .failed = held?.outcome { return .none }
            held = (query, .answer(answer))
            return .none
        case .failure(let failure):
            held = (query, .failed(error(for: failure, of: query)))
            return .none
        case .copyIn(let answer): return .feed(query.work, answer)
        case .end:
            _ = steps.popFirst()
            guard let (query, outcome) = held else {
                return .fail(query.work, PostgresError(.protocolViolation, "a statement without an answer"))
            }
            held = nil
            return told(query, outcome)
        case .aborted, .synced: return .close(nil)
        }
    }

    private mutating func failed(_ query: Query, _ failure: ServerFailure) -> Action {
        if query.fate != .repeatable {
            let heals = failure.isStaleStatement && query.statement != nil
            held = (query, heals ? .stale : .failed(error(for: failure, of: query)))
            return .none
        }
        if query.isAbandoned { return .none }
        if failure.isStaleStatement { return .heal(query.work) }
        // A cancel request meant for the one before it.
        if failure.isCancellation, isInterrupting, interrupted != query.work {
            return .resend(query.work, alone: true)
        }
        return .fail(query.work, error(for: failure, of: query))
    }

    private func error(for failure: ServerFailure, of query: Query) -> PostgresError {
        if failure.isCancellation { return failure.error(interrupted == query.work ? .cancelled : .timedOut) }
        // A write refused as read-only: the server is not the primary any more, a new connection may find it.
        if failure.sqlState == "25006", query.fate != .repeatable { return failure.error(.unavailable) }
        if failure.sqlState == "25P02" { return failure.error(.transactionAborted) }
        return failure.error()
    }

    private func told(_ query: Query, _ outcome: Outcome) -> Action {
        switch outcome {
        case .answer(let answer): .complete(query.work, answer)
        case .failed(let error): .fail(query.work, error)
        case .stale: .heal(query.work)
        }
    }
}

extension ConnectionStateMachine.Step {
    var query: ConnectionStateMachine.Query? {
        switch self {
        case .query(let query), .simple(let query): query
        case .prepare, .aside, .sync: nil
        }
    }
}
