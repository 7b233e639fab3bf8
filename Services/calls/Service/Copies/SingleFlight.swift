import Synchronization

/// Work that is done once for all who ask for it at the same time, and for so many different things at most.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// Too much is under way already.
    struct Full: Error {}

    private let most: Int
    private let flights = Mutex<[Key: Task<Value, any Error>]>([:])

    /// - Parameter most: keys that may be under way at once.
    init(most: Int) {
        self.most = most
    }

    /// What `work` gives, from whoever began it first. It goes on when one who asked goes away.
    ///
    /// - Throws: ``Full``; what `work` throws.
    func value(for key: Key, _ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let flight = try flights.withLock { flights in
            if let flight = flights[key] { return flight }
            guard flights.count < most else { throw Full() }
            let flight = Task {
                defer { _ = self.flights.withLock { $0.removeValue(forKey: key) } }
                return try await work()
            }
            flights[key] = flight
            return flight
        }
        return try await flight.value
    }
}
