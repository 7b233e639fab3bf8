import NIOCore
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Asks accounts for what isn't kept here. Each call is bounded; nobody makes one inside a transaction.
struct AccountsClient: Sendable {
    let client: InternalClient
    var deadline: Duration = .seconds(1)

    /// The public block of a user whose copy has not come yet.
    ///
    /// - Throws: `Problem` (503), also for a user that accounts does not know: it vouched for the token, so it will.
    func publicUser(_ id: UUID, for request: ServiceRequest) async throws -> PublicUser {
        let answer = try await get("\(path(id))/public", request)
        guard answer.status == 200 else { throw Problem.unavailable() }
        do {
            return try PublicUser(try JSONParser.object(answer.body))
        } catch {
            request.logger.error("accounts answered what is no user", metadata: ["error": "\(error)"])
            throw Problem.unavailable()
        }
    }

    /// The whole block of a user, for that user's eyes: a JSON object, handed on as it came.
    ///
    /// - Throws: `Problem`: 404 when there is no such user, 503 when accounts can't be asked.
    func fullUser(_ id: UUID, for request: ServiceRequest) async throws -> ByteBuffer {
        let answer = try await get(path(id), request)
        switch answer.status {
        case 200: return answer.body
        case 404: throw Problem(.notFound, "This user does not exist.")
        default: throw Problem.unavailable()
        }
    }

    private func path(_ id: UUID) -> String { "/internal/v1/users/\(id.uuidString.lowercased())" }

    private func get(_ path: String, _ request: ServiceRequest) async throws -> InternalClient.Answer {
        try await client.get(path, trace: request.trace, requestID: request.requestID, deadline: deadline)
    }
}
