import NIOHTTP1

/// What the gateway knows of a request that ``RequestRules`` let pass.
struct RequestShape: Sendable {
    /// How the request's content is framed by the client; upstream it is framed anew.
    enum Body: Sendable, Equatable {
        case none
        /// `Content-Length: 0`.
        case empty
        case length(Int)
        case chunked
    }

    var method: HTTPMethod
    var isHTTP11: Bool
    var target: RequestTarget
    var route: GatewayRoute
    /// Empty if an HTTP/1.0 client named none.
    var host: String
    var body: Body
    /// Whether the client wants to send another request on this connection.
    var keepAlive: Bool
    var expectsContinue: Bool
    /// The field's value as it came.
    var authorization: String?
    /// The client's own id for the request, unchecked; empty if it sent two.
    var requestID: String?
    /// W3C trace context, unchecked; empty if it sent two.
    var traceparent: String?
    /// The field names, in lower case, that `Connection` declares to be for this connection only.
    var nominated: [String]

    /// Safe to send again when it is not known whether it was carried out.
    var isRetriable: Bool { (method == .GET || method == .HEAD) && !hasContent }

    /// Whether it can't have changed anything.
    var isReadOnly: Bool { method == .GET || method == .HEAD || method == .OPTIONS }

    var hasContent: Bool {
        switch body {
        case .none, .empty: false
        case .length, .chunked: true
        }
    }
}
