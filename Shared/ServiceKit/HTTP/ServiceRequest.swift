import HTTPTypes
import Identity
import Logging
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A request as a route's handler sees it: the caller is known, the policy satisfied, the body read whole.
public struct ServiceRequest: Sendable {
    /// Method, target and fields as they came.
    public let head: HTTPRequest
    /// The body, at most ``ServiceResponder/bodyLimit`` bytes.
    public let body: ByteBuffer
    /// Who asks, as the gateway or another service vouched for it.
    public let claims: Claims
    /// What the request goes by in answers and logs.
    public let requestID: String
    /// Where the request stands in its trace; hand it on with every call out.
    public let trace: TraceContext
    /// The route that matched.
    public let route: Route

    let parameters: [PathParameter]
    let baseLogger: Logger

    /// A logger whose lines carry the request's and the trace's id.
    public var logger: Logger {
        var logger = baseLogger
        logger[metadataKey: "request_id"] = .string(requestID)
        logger[metadataKey: "trace_id"] = .string(trace.traceID)
        return logger
    }

    /// The signed-in user.
    ///
    /// - Throws: `Problem`: 403 `not_authenticated` for nobody, 503 when it could not be found out. Neither happens on a
    ///   route with `access: .user`.
    public var user: Claims.User {
        get throws(Problem) {
            switch claims {
            case .user(let user): return user
            case .unverifiable: throw .unavailable()
            case .anonymous, .service: throw Problem(.notAuthenticated)
            }
        }
    }

    /// The signed-in user, if there is one.
    public var optionalUser: Claims.User? {
        if case .user(let user) = claims { user } else { nil }
    }

    // MARK: Target

    /// The query, decoded.
    ///
    /// - Throws: `Problem` of code `invalid`.
    public var query: Query {
        get throws(Problem) {
            guard let path = head.path, let mark = path.utf8.firstIndex(of: UInt8(ascii: "?")) else {
                return try Query("")
            }
            return try Query(path[path.index(after: mark)...])
        }
    }

    /// A segment of the path that the route's pattern names.
    ///
    /// - Throws: `Problem` of code `not_found` if it does not decode to text.
    public func segment(_ name: String) throws(Problem) -> String {
        guard let parameter = parameters.first(where: { $0.name == name }),
            let text = Percent.decode(parameter.value.utf8), !text.utf8.contains(0)
        else { throw Problem(.notFound) }
        return text
    }

    /// A UUID in the path.
    ///
    /// - Throws: `Problem` of code `not_found` if it is none.
    public func uuid(_ name: String) throws(Problem) -> UUID {
        guard let id = UUID(uuidString: try segment(name)) else { throw Problem(.notFound) }
        return id
    }

    /// A positive integer in the path, in plain digits.
    ///
    /// - Throws: `Problem` of code `not_found` if it is none or does not fit.
    public func id(_ name: String = "id") throws(Problem) -> Int64 {
        let text = try segment(name)
        guard text.utf8.first != UInt8(ascii: "+"), let id = Int64(text), id > 0 else { throw Problem(.notFound) }
        return id
    }

    // MARK: Body

    /// The members of the JSON object that the body is, ready to be read.
    ///
    /// - Throws: `Problem` of code `malformed_json`.
    public func fields() throws(Problem) -> Fields {
        do {
            return Fields(try JSONParser.object(body))
        } catch {
            throw Problem(error)
        }
    }
}

extension Problem {
    /// What a client is told of a body that is not the JSON it should be.
    public init(_ error: JSONParseError) {
        switch error {
        case .malformed: self.init(.malformedJSON)
        case .tooDeep: self.init(.malformedJSON, "The JSON is nested deeper than \(JSONParser.maximumDepth) levels.")
        case .notAnObject: self.init(.malformedJSON, "The body must be a JSON object.")
        }
    }
}

/// A named segment of a path, not decoded.
struct PathParameter: Sendable {
    let name: String
    let value: Substring
}
