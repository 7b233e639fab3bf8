import Synchronization

/// Does together what is asked for at the same time: while one batch is worked on, the next one gathers (``BatchQueue``).
/// So batches grow with the load, and who comes alone waits for nobody. It is what databases call group commit.
final class Batcher<Item: Sendable, Outcome: Sendable>: Sendable {
    private typealias Waiting = (item: Item, continuation: UnsafeContinuation<Outcome, Never>)

    private struct State {
        var queue: BatchQueue<Waiting>
        /// Whether a task sees to it that nothing waits for a worker that is stuck.
        var isWatched = false
    }

    private let patience: Duration
    private let executor: (any TaskExecutor)?
    private let work: @Sendable ([Item]) async -> [Outcome]
    private let state: Mutex<State>

    /// - Parameters:
    ///   - most: items in one batch. As many that wait do not wait for the batch before them.
    ///   - patience: how long a batch may take before nobody waits for it any more.
    ///   - executor: where the work is done; nil where all tasks run.
    ///   - work: gives an outcome for each item, in their order. It goes on when one who asked is cancelled.
    init(
        most: Int, patience: Duration, executor: (any TaskExecutor)?,
        work: @escaping @Sendable ([Item]) async -> [Outcome]
    ) {
        self.patience = patience
        self.executor = executor
        self.work = work
        self.state = Mutex(State(queue: BatchQueue(most: most, patience: patience)))
    }

    /// What the work has made of an item, alone or among others.
    func outcome(of item: Item) async -> Outcome {
        await withUnsafeContinuation { continuation in
            let (step, isToBeWatched) = state.withLock { state in
                let step = state.queue.arrive((item, continuation), at: .now)
                guard case .work = step, !state.isWatched else { return (step, false) }
                state.isWatched = true
                return (step, true)
            }
            switch step {
            case .wait: break
            case .work(let worker): start(worker)
            case .full(let batch): Task(executorPreference: executor) { await self.finish(batch) }
            }
            if isToBeWatched { Task { await watch() } }
        }
    }

    /// How many are in no batch yet.
    var waitingCount: Int { state.withLock { $0.queue.waiting.count } }

    private func start(_ worker: Int) {
        Task(executorPreference: executor) {
            while let batch = self.state.withLock({ $0.queue.next(worker, at: .now) }) { await self.finish(batch) }
        }
    }

    private func finish(_ batch: [Waiting]) async {
        let outcomes = await work(batch.map(\.item))
        precondition(outcomes.count == batch.count, "an outcome for each item")
        for (waiting, outcome) in zip(batch, outcomes) { waiting.continuation.resume(returning: outcome) }
    }

    private func watch() async {
        while true {
            // Nothing tells that a worker is stuck: it is looked after now and then, for as long as there is one.
            try? await Task.sleep(for: patience)
            let look = state.withLock { state in
                let look = state.queue.look(at: .now)
                if case .end = look { state.isWatched = false }
                return look
            }
            switch look {
            case .goOn: break
            case .work(let worker): start(worker)
            case .end: return
            }
        }
    }
}
