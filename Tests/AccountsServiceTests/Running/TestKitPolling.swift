import TestKit

enum TestKitPolling {
    static func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        try await eventually(what) { try await condition() }
    }
}
