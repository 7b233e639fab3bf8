/// Every kind of failure a client can be told of. The list is closed: clients switch over it.
public enum ProblemCode: String, Sendable, CaseIterable {
    /// The request makes no sense as HTTP.
    case badRequest = "bad_request"
    /// The body is not one JSON object.
    case malformedJSON = "malformed_json"
    /// Fields of the body or the query break their rules; `errors` names each.
    case invalid
    /// Nobody is signed in, or the credentials are wrong.
    case notAuthenticated = "not_authenticated"
    /// The signed-in user may not do this.
    case permissionDenied = "permission_denied"
    /// Needs a verified email address.
    case emailUnverified = "email_unverified"
    /// Needs a verified phone number.
    case phoneUnverified = "phone_unverified"
    /// Needs a verified form of payment.
    case paymentUnverified = "payment_unverified"
    /// No such resource, or no such path.
    case notFound = "not_found"
    /// The path exists, not with this method; `Allow` has those it has.
    case methodNotAllowed = "method_not_allowed"
    /// Another resource or another request was there first.
    case conflict
    /// The body, or a part of it, is too large.
    case payloadTooLarge = "payload_too_large"
    /// The target is longer than the limit.
    case uriTooLong = "uri_too_long"
    /// The body is of a type that is not read here.
    case unsupportedMediaType = "unsupported_media_type"
    /// The header section is larger than the limit.
    case headersTooLarge = "headers_too_large"
    /// Too often; `Retry-After` says when to come back.
    case tooManyRequests = "too_many_requests"
    /// The payment provider declined.
    case paymentDeclined = "payment_declined"
    /// The resource is not in the state that this needs.
    case invalidState = "invalid_state"
    /// The time is taken by another call.
    case alreadyBooked = "already_booked"
    /// The same `Idempotency-Key` came with another body.
    case idempotencyKeyReused = "idempotency_key_reused"
    /// The request took too long to arrive.
    case requestTimeout = "request_timeout"
    /// The transfer coding or method is not implemented.
    case notImplemented = "not_implemented"
    /// A part of the system is away for the moment.
    case temporarilyUnavailable = "temporarily_unavailable"
    /// No service behind the gateway could be reached, or its answer broke off.
    case upstreamUnreachable = "upstream_unreachable"
    /// The service behind the gateway did not answer in time.
    case upstreamTimeout = "upstream_timeout"
    /// A fault of ours.
    case `internal` = "internal_error"

    /// The HTTP status code that goes with it, unless a problem says otherwise.
    public var status: Int {
        switch self {
        case .badRequest, .malformedJSON, .invalid, .invalidState: 400
        case .paymentDeclined: 402
        case .notAuthenticated, .permissionDenied, .emailUnverified, .phoneUnverified, .paymentUnverified: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .conflict, .alreadyBooked: 409
        case .payloadTooLarge: 413
        case .uriTooLong: 414
        case .unsupportedMediaType: 415
        case .idempotencyKeyReused: 422
        case .tooManyRequests: 429
        case .headersTooLarge: 431
        case .internal: 500
        case .notImplemented: 501
        case .upstreamUnreachable: 502
        case .temporarilyUnavailable: 503
        case .upstreamTimeout: 504
        }
    }

    /// The same short sentence for every problem of this kind (RFC 9457, section 3.1.3).
    public var title: String {
        switch self {
        case .badRequest: "Bad request"
        case .malformedJSON: "Malformed JSON"
        case .invalid: "Invalid data"
        case .notAuthenticated: "Not authenticated"
        case .permissionDenied: "Permission denied"
        case .emailUnverified: "Email not verified"
        case .phoneUnverified: "Phone not verified"
        case .paymentUnverified: "Payment not verified"
        case .notFound: "Not found"
        case .methodNotAllowed: "Method not allowed"
        case .conflict: "Conflict"
        case .payloadTooLarge: "Payload too large"
        case .uriTooLong: "URI too long"
        case .unsupportedMediaType: "Unsupported media type"
        case .headersTooLarge: "Header fields too large"
        case .tooManyRequests: "Too many requests"
        case .paymentDeclined: "Payment declined"
        case .invalidState: "Invalid state"
        case .alreadyBooked: "Already booked"
        case .idempotencyKeyReused: "Idempotency key reused"
        case .requestTimeout: "Request timeout"
        case .notImplemented: "Not implemented"
        case .temporarilyUnavailable: "Temporarily unavailable"
        case .upstreamUnreachable: "Upstream unreachable"
        case .upstreamTimeout: "Upstream timeout"
        case .internal: "Internal error"
        }
    }

    /// What `detail` says when whoever met the problem had nothing to add.
    public var defaultDetail: String {
        switch self {
        case .badRequest: "The request could not be understood."
        case .malformedJSON: "The body must be one JSON object, encoded as UTF-8."
        case .invalid: "Some fields are missing or not valid; see errors."
        case .notAuthenticated: "Sign in first: this needs a valid token."
        case .permissionDenied: "You may not do this."
        case .emailUnverified: "Verify your email address first."
        case .phoneUnverified: "Verify your phone number first."
        case .paymentUnverified: "Add a form of payment first."
        case .notFound: "There is nothing here."
        case .methodNotAllowed: "This path does not support that method."
        case .conflict: "This conflicts with what is already there."
        case .payloadTooLarge: "The body is larger than this service reads."
        case .uriTooLong: "The request target is too long."
        case .unsupportedMediaType: "Send the body as application/json."
        case .headersTooLarge: "The header fields are too large, or too many."
        case .tooManyRequests: "Too many requests; try again later."
        case .paymentDeclined: "The payment method was declined."
        case .invalidState: "This is not possible in the present state."
        case .alreadyBooked: "That time is already taken."
        case .idempotencyKeyReused: "This Idempotency-Key was used with another request."
        case .requestTimeout: "The request did not arrive in time."
        case .notImplemented: "This is not implemented."
        case .temporarilyUnavailable: "This is not available right now; try again in a moment."
        case .upstreamUnreachable: "The service for this request could not be reached."
        case .upstreamTimeout: "The service for this request did not answer in time."
        case .internal: "Something went wrong on our side."
        }
    }
}
