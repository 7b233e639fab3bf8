import CallsDomain
import Hummingbird
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Calls {
    /// One request, for its parties and staff: one read on a shared connection.
    func show(_ request: ServiceRequest) async throws -> Response {
        let user = try request.user
        let id = try request.id()
        let found = try await complete(request.trace) { () async throws -> StoredRequest? in
            let rows = try await postgres.read(RequestRows.select(id))
            guard let found = try RequestRows.decode(rows).first else { return nil }
            // Here, so that accounts is asked for nobody who may not see the request.
            guard user.flags.contains(.staff) || found.call.isParty(user.id) else {
                throw Problem(.permissionDenied, "Only the two parties of a call request may see it.")
            }
            return found
        } strangers: {
            $0.strangers
        }
        guard let found else { throw Problem.noSuchRequest }
        return .callRequest(found)
    }

    /// What `read` gives, with the public block of everybody in it. Who suggests times is known here before, so nobody is
    /// missing, unless the copies were lost; then accounts is asked.
    func complete<Value>(
        _ trace: TraceContext, _ read: () async throws -> Value?, strangers: (Value) -> Set<UUID>
    ) async throws -> Value? {
        guard let value = try await read() else { return nil }
        let missing = strangers(value)
        if missing.isEmpty { return value }
        for id in missing { try await users.ask(for: id, trace: trace) }
        guard let value = try await read(), strangers(value).isEmpty else { throw Problem.unavailable() }
        return value
    }
}
