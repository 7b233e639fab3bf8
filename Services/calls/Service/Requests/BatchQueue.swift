/// Decides which elements go together: a line from which one worker at a time takes batches, so that what comes while it
/// works is its next batch. As many as make a full batch do not wait for it.
struct BatchQueue<Element> {
    /// What is to be done when an element has come.
    enum Step {
        case wait
        /// Begin as a worker: take batches by ``next(_:at:)`` for as long as there are any.
        case work(worker: Int)
        /// Do these at once, whatever the worker is at.
        case full([Element])
    }

    /// What is to be done when ``patience`` has passed once more.
    enum Look {
        /// All is well, or nothing waits.
        case goOn
        /// The worker is stuck: begin as the next one, as in ``Step/work(worker:)``.
        case work(worker: Int)
        /// There is no worker to look after.
        case end
    }

    /// Elements in a batch.
    let most: Int
    /// How long a batch may take before nobody waits for it any more.
    let patience: Duration

    private(set) var waiting: [Element] = []
    /// Who takes what waits; workers before it end with the batch that they have.
    private var worker = 0
    /// When it began with its batch; nil when there is none.
    private var began: ContinuousClock.Instant?

    init(most: Int, patience: Duration) {
        precondition(most > 1, "a batch of one is none")
        self.most = most
        self.patience = patience
    }

    mutating func arrive(_ element: Element, at now: ContinuousClock.Instant) -> Step {
        waiting.append(element)
        if began == nil { return .work(worker: begin(at: now)) }
        guard waiting.count >= most else { return .wait }
        return .full(take())
    }

    /// - Returns: nil when the worker is to end.
    mutating func next(_ worker: Int, at now: ContinuousClock.Instant) -> [Element]? {
        guard worker == self.worker else { return nil }
        guard !waiting.isEmpty else {
            began = nil
            return nil
        }
        began = now
        return take()
    }

    mutating func look(at now: ContinuousClock.Instant) -> Look {
        guard let began else { return .end }
        guard !waiting.isEmpty, now - began >= patience else { return .goOn }
        return .work(worker: begin(at: now))
    }

    private mutating func begin(at now: ContinuousClock.Instant) -> Int {
        began = now
        worker += 1
        return worker
    }

    private mutating func take() -> [Element] {
        defer { waiting.removeFirst(min(most, waiting.count)) }
        return Array(waiting.prefix(most))
    }
}
