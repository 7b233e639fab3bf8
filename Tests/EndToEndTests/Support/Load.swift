import Synchronization

/// Requests that go on, side by side, while a test breaks things; what was answered is counted and judged.
final class Load: Sendable {
    private let counts = Mutex<[String: [Int: Int]]>([:])
    private let faults = Mutex<[String]>([])

    /// How often each status was answered to the requests of a name.
    func statuses(_ name: String) -> [Int: Int] { counts.withLock { $0[name] ?? [:] } }

    func reset() { counts.withLock { $0 = [:] } }

    /// What must not have happened.
    var violations: [String] { faults.withLock { $0 } }

    func violate(_ text: String) { faults.withLock { if $0.count < 20 { $0.append(text) } } }

    /// Counts an answer, and notes one that was not allowed.
    func note(_ name: String, _ answer: Answer, allowed: Set<Int>) {
        counts.withLock { $0[name, default: [:]][answer.status, default: 0] += 1 }
        if !allowed.contains(answer.status) { violate("\(name): \(answer.status) \(answer.body)") }
        if answer.status == 503, answer.headers["retry-after"].isEmpty { violate("\(name): 503 without Retry-After") }
    }

    /// Runs each request again and again until `body` ends. A request that can't be sent is a violation.
    static func run(
        _ requests: [@Sendable (Load) async throws -> Void], while body: (Load) async throws -> Void
    ) async throws -> Load {
        let load = Load()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for request in requests {
                group.addTask {
                    while !Task.isCancelled {
                        do {
                            try await request(load)
                        } catch is CancellationError {
                            return
                        } catch {
                            if !Task.isCancelled { load.violate("no answer: \(error)") }
                        }
                        await Task.yield()
                    }
                }
            }
            try await body(load)
            group.cancelAll()
            while (try? await group.next()) != nil {}
        }
        return load
    }
}
