import Synchronization

/// Asks which edition the directory is at, once for everybody who waits.
///
/// An answer counts only for those who came before the question was asked: a change that was acknowledged before a
/// request began is always in what that request gets, at any replica. So whoever comes while a question is under way
/// waits for the next one, and hundreds who come at once cost two.
final class EditionCheck: Sendable {
    private struct State {
        var isAsking = false
        var waiting: [CheckedContinuation<Edition, any Error>] = []
    }

    private let state = Mutex(State())
    private let ask: @Sendable () async throws -> Edition
    private let onAnswer: @Sendable (Edition) -> Void

    /// - Parameters:
    ///   - ask: reads the edition from the database.
    ///   - onAnswer: is told each answer, in the order of the questions, before those who waited are.
    init(
        ask: @escaping @Sendable () async throws -> Edition, onAnswer: @escaping @Sendable (Edition) -> Void = { _ in }
    ) {
        self.ask = ask
        self.onAnswer = onAnswer
    }

    /// The edition at some moment after the call.
    func current() async throws -> Edition {
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = state.withLock { state in
                state.waiting.append(continuation)
                if state.isAsking { return false }
                state.isAsking = true
                return true
            }
            // A task of its own: a caller who gives up must not take the answer from the others.
            if isFirst { Task { await run() } }
        }
    }

    /// How many wait for the next question.
    var waiting: Int { state.withLock { $0.waiting.count } }

    private func run() async {
        while let waiting = next() {
            let answer: Result<Edition, any Error>
            do {
                let edition = try await ask()
                onAnswer(edition)
                answer = .success(edition)
            } catch {
                answer = .failure(error)
            }
            for continuation in waiting { continuation.resume(with: answer) }
        }
    }

    private func next() -> [CheckedContinuation<Edition, any Error>]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isAsking = false
                return nil
            }
            defer { state.waiting = [] }
            return state.waiting
        }
    }
}
