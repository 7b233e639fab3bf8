extension ConnectionStateMachine {
    // MARK: Cancellation

    /// The caller of `work` does not want it any more.
    mutating func cancel(_ work: Work) -> Cancellation {
        var isHead = true
        var found: Query?
        search: for step in steps {
            switch step {
            case .query(let query), .simple(let query):
                if query.work == work {
                    found = query
                    break search
                }
                isHead = false
            case .prepare, .aside: continue
            case .sync: continue
            }
        }
        guard let found else { return .unknown }
        let interrupts = isHead && !isInterrupting && held == nil
        if interrupts {
            interrupted = work
            isRequestUnderWay = true
        }
        guard found.fate == .repeatable else { return interrupts ? .interrupt : .unknown }
        steps.changeFirst { step in
            guard case .query(var query) = step, query.work == work else { return false }
            query.isAbandoned = true
            step = .query(query)
            return true
        }
        return interrupts ? .abandonAndInterrupt : .abandon
    }

    /// The abandoned read at the head still runs: the server is to stop it.
    mutating func interruptHead() -> Bool {
        guard !isInterrupting, case .query(let query) = headQueryStep, query.isAbandoned else { return false }
        interrupted = query.work
        isRequestUnderWay = true
        return true
    }

    /// The cancel request has reached the server or failed to: nothing more will be hit by it.
    mutating func interruptFinished() {
        isRequestUnderWay = false
        settle()
    }

    mutating func settle() {
        if steps.isEmpty, !isRequestUnderWay { interrupted = nil }
    }

    // MARK: Loss

    /// The connection is gone: what becomes of everything under way, in order.
    mutating func lost(_ cause: ServerFailure?) -> [Action] {
        var actions: [Action] = []
        if let (query, outcome) = held {
            held = nil
            switch (query.fate, outcome) {
            case (.transaction, .answer), (.repeatable, _):
                actions.append(.fail(query.work, lossError(.connectionLost, cause)))
            case (_, .answer): actions.append(.fail(query.work, lossError(.outcomeUnknown, cause)))
            case (_, .failed(let error)): actions.append(.fail(query.work, error))
            case (_, .stale): actions.append(.fail(query.work, lossError(.connectionLost, cause)))
            }
            if case .query(let head) = steps.first, head.work == query.work { _ = steps.popFirst() }
            if case .simple = steps.first { _ = steps.popFirst() }
        }
        var isHead = true
        while let step = steps.popFirst() {
            guard let query = step.query, !query.isAbandoned else { continue }
            actions.append(loss(of: query, cause, isHead: isHead))
            isHead = false
        }
        batches = 0
        pending = nil
        interruptFinished()
        return actions
    }

    private func loss(of query: Query, _ cause: ServerFailure?, isHead: Bool) -> Action {
        switch query.fate {
        case .repeatable: return .resend(query.work, alone: false)
        case .transaction: return .fail(query.work, lossError(.connectionLost, cause))
        case .commit: return .fail(query.work, lossError(.outcomeUnknown, cause))
        case .once:
            // Shut down in good order before it completed: the server rolled it back. (A crash, 57P02, proves nothing.)
            let rolledBack = isHead && (cause?.sqlState == "57P01" || cause?.sqlState == "25P03")
            return .fail(query.work, lossError(rolledBack ? .connectionLost : .outcomeUnknown, cause))
        }
    }

    private func lossError(_ code: PostgresError.Code, _ cause: ServerFailure?) -> PostgresError {
        cause?.error(code) ?? PostgresError(code, "the connection was lost")
    }
}
