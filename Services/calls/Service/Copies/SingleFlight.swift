import Synchronization

/// Work that is done once for all who ask for it at the same time, and for so many different things at most.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// Too much is under way already.
    struct Full: Error {}

    private struct Flight {
        let task: Task<Value, any Error>
        /// Who waits for it.
        var passengers: Int
    }

    private let most: Int
    private let flights = Mutex<[Key: Flight]>([:])

    /// - Parameter most: keys that may be under way at once.
    init(most: Int) {
        self.most = most
    }

    /// What `work` gives, from whoever began it first. It goes on when one who asked goes away.
    ///
    /// - Parameter needsAnother: whether a value that was under way before the call is not good enough.
    /// - Throws: ``Full``; what `work` throws.
    func value(
        for key: Key, unless needsAnother: (Value) -> Bool = { _ in false },
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let first = try board(key, work)
        let value = try await first.task.value
        guard first.isJoined, needsAnother(value) else { return value }
        // That one is over, so whatever is under way now began after the call.
        return try await board(key, work).task.value
    }

    private func board(
        _ key: Key, _ work: @escaping @Sendable () async throws -> Value
    ) throws -> (task: Task<Value, any Error>, isJoined: Bool) {
        try flights.withLock { flights in
            if let flight = flights[key] {
                flights[key]?.passengers += 1
                return (task: flight.task, isJoined: true)
            }
            guard flights.count < most else { throw Full() }
            let task = Task {
                defer { _ = self.flights.withLock { $0.removeValue(forKey: key) } }
                return try await work()
            }
            flights[key] = Flight(task: task, passengers: 1)
            return (task: task, isJoined: false)
        }
    }

    /// How many have asked for what is under way for a key.
    func passengers(for key: Key) -> Int { flights.withLock { $0[key]?.passengers ?? 0 } }
}
