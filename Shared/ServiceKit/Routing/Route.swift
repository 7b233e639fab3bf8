import HTTPTypes
import Hummingbird
import Identity

/// One route: what it answers to, who may use it, what it reads, what it does.
public struct Route: Sendable {
    /// Answers a request whose caller has been let in.
    public typealias Handler = @Sendable (ServiceRequest) async throws -> Response

    /// The method. A route of GET answers HEAD as well.
    public let method: HTTPRequest.Method
    /// The path, with named segments in braces: `/api/v1/heroes/{id}`.
    public let path: String
    /// Who may use it.
    public let access: Access
    /// What kind of body it reads.
    public let accepts: Content
    let handler: Handler

    /// Who may use a route.
    public enum Access: Sendable, Equatable {
        /// Anyone, signed in or not.
        case `public`
        /// A signed-in user. Others: 403 `not_authenticated`; 503 when it can't be found out who it is.
        case user
        /// One of our own processes, by its name. Others: 403.
        case service(Set<String>)

        /// The problem of a caller who may not use the route, or nil.
        public func refusal(of claims: Claims) -> Problem? {
            switch (self, claims) {
            case (.public, _), (.user, .user): nil
            case (.user, .anonymous): Problem(.notAuthenticated)
            case (.user, .unverifiable): .unavailable()
            case (.service(let names), .service(let name)) where names.contains(name): nil
            case (.user, .service), (.service, _): Problem(.permissionDenied)
            }
        }
    }

    /// What a route makes of a body.
    public enum Content: Sendable, Equatable {
        /// Reads none; one that comes is dropped.
        case nothing
        /// A JSON object; a body of another type is answered 415.
        case json
        /// Whatever comes, such as a webhook whose bytes are signed.
        case bytes
    }

    /// - Parameters:
    ///   - method: the method.
    ///   - path: the path, without a slash at its end; it answers with one all the same.
    ///   - access: who may use it.
    ///   - accepts: what kind of body it reads; nil means JSON for POST, PUT and PATCH and nothing for the others.
    ///   - handler: answers the request.
    public init(
        _ method: HTTPRequest.Method, _ path: String, access: Access, accepts: Content? = nil,
        handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.accepts = accepts ?? ([.post, .put, .patch].contains(method) ? .json : .nothing)
        self.handler = handler
    }
}

extension Route: CustomStringConvertible {
    public var description: String { "\(method.rawValue) \(path)" }
}
