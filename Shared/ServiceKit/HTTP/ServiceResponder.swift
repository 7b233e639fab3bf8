import HTTPTypes
import Hummingbird
import Identity
import Logging
import Metrics
import NIOCore

/// Answers every request of a service, in this order: health; who asks; which route; may they; body; handler.
///
/// It takes the place of Hummingbird's router and middlewares: the route table knows which methods a path has (405 with
/// `Allow`), every failure has the same form, and each request is logged and counted once, whatever became of it.
public struct ServiceResponder: Sendable {
    /// The largest body that is read, in bytes.
    public static let bodyLimit = 64 * 1024

    static let identityField = name(Claims.headerName)
    static let requestIDField = name(RequestIdentifier.headerName)
    static let traceField = name(TraceContext.headerName)

    private let table: RouteTable
    private let seal: IdentitySeal
    private let health: Health
    private let log: AccessLog
    private let metrics: RequestMetrics
    private let logger: Logger
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - table: the routes.
    ///   - seal: checks who callers are said to be.
    ///   - health: what `/health/live` and `/health/ready` answer, and whether the process is draining.
    ///   - log: where one line for each request goes; nil for none.
    ///   - logger: for what goes wrong.
    ///   - metrics: where requests are counted and timed.
    ///   - now: Unix time in seconds, for tests.
    public init(
        table: RouteTable, seal: IdentitySeal, health: Health, log: LogWriter?, logger: Logger,
        metrics: any MetricsFactory = MetricsSystem.factory,
        now: @escaping @Sendable () -> Int64 = { WallClock.seconds }
    ) {
        self.table = table
        self.seal = seal
        self.health = health
        self.log = AccessLog(writer: log, service: logger.label)
        self.metrics = RequestMetrics(routes: table.routes, factory: metrics)
        self.logger = logger
        self.now = now
    }

    /// Whatever happens becomes an answer.
    ///
    /// - Parameters:
    ///   - head: method, target and fields.
    ///   - body: read only when it is wanted.
    public func respond(to head: HTTPRequest, body: RequestBody) async -> Response {
        let start = ContinuousClock.now
        let requestID =
            RequestIdentifier.accepted(head.headerFields.value(of: Self.requestIDField)) ?? RequestIdentifier.random()
        let target = head.path ?? "/"
        let probe = Health.Probe(target: target)
        if let probe {
            return sealed(await health.response(to: probe, method: head.method, requestID: requestID), requestID)
        }
        let trace = TraceContext(continuing: head.headerFields.value(of: Self.traceField))
        var progress = Progress()
        var response: Response
        do {
            response = try await answer(head, body, target, requestID, trace, &progress)
        } catch {
            response = tell(error, requestID, trace, progress)
            if !progress.isBodyRead, Self.mayHaveLongBody(head) {
                // The next request would begin after the rest of a body that nobody wants.
                response.headers[.connection] = "close"
            }
        }
        if head.method == .head { response = response.createHeadResponse() }
        response = sealed(response, requestID)
        let duration = ContinuousClock.now - start
        metrics.record(route: progress.route, status: response.status.code, duration: duration)
        log.write(
            method: head.method.rawValue, route: progress.route.map { table.routes[$0].path },
            status: response.status.code,
            duration: duration, requestID: requestID, trace: trace)
        return response
    }

    private func answer(
        _ head: HTTPRequest, _ body: RequestBody, _ target: String, _ requestID: String, _ trace: TraceContext,
        _ progress: inout Progress
    ) async throws -> Response {
        guard let field = head.headerFields.value(of: Self.identityField),
            let claims = seal.verify(field, method: head.method.rawValue, path: target, now: now())
        else { throw Problem(.notAuthenticated, "The request does not say in a valid way who it comes from.") }
        switch table.match(head.method, target: target) {
        case .nothing:
            throw Problem(.notFound)
        case .otherMethods(let allow):
            throw Problem(.methodNotAllowed, allow: allow)
        case .route(let index, let parameters):
            progress.route = index
            let route = table.routes[index]
            if let refusal = route.access.refusal(of: claims) { throw refusal }
            let body = try await read(body, of: head, for: route)
            progress.isBodyRead = true
            // Here the caller, the route and the bytes of the body are known and nothing has happened yet: answers
            // stored under an Idempotency-Key belong between this line and the next.
            return try await route.handler(
                ServiceRequest(
                    head: head, body: body, claims: claims, requestID: requestID, trace: trace, route: route,
                    parameters: parameters, baseLogger: logger))
        }
    }

    /// How far a request has come.
    private struct Progress {
        var route: Int?
        var isBodyRead = false
    }

    private static func mayHaveLongBody(_ head: HTTPRequest) -> Bool {
        head.headerFields.contains(.transferEncoding)
            || head.headerFields.value(of: .contentLength).flatMap { Int($0) }.map { $0 > bodyLimit } ?? false
    }

    private func read(_ body: RequestBody, of head: HTTPRequest, for route: Route) async throws -> ByteBuffer {
        let length = head.headerFields.value(of: .contentLength)
        let isChunked = head.headerFields.contains(.transferEncoding)
        guard isChunked || (length != nil && length != "0") else { return ByteBuffer() }
        if let length = length.flatMap({ Int($0) }), length > Self.bodyLimit { throw Problem(.payloadTooLarge) }
        if route.accepts == .json, !MediaType.isJSON(head.headerFields.value(of: .contentType)) {
            // A chunked body may turn out empty; it is not worth the difference.
            throw Problem(.unsupportedMediaType)
        }
        let bytes: ByteBuffer
        do {
            bytes = try await body.collect(upTo: Self.bodyLimit)
        } catch is NIOTooManyBytesError {
            throw Problem(.payloadTooLarge)
        } catch {
            // What else can go wrong while reading is the client's: a broken chunk, a connection that ended.
            throw Problem(.badRequest, "The body could not be read.")
        }
        // A stream ends, as if it were whole, when its reader is cancelled.
        try Task.checkCancellation()
        return bytes
    }

    private func tell(
        _ error: any Error, _ requestID: String, _ trace: TraceContext, _ progress: Progress
    ) -> Response {
        if let problem = Problem(error) {
            if problem.code == .temporarilyUnavailable, !(error is Problem) {
                logger.warning(
                    "request met a part that is away", error: error, requestID, trace, table.name(progress.route))
            }
            return .problem(problem, requestID: requestID)
        }
        logger.error("request failed", error: error, requestID, trace, table.name(progress.route))
        return .problem(Problem(.internal), requestID: requestID)
    }

    private func sealed(_ response: Response, _ requestID: String) -> Response {
        var response = response
        response.headers[Self.requestIDField] = requestID
        if health.isDraining { response.headers[.connection] = "close" }
        return response
    }

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) is not a field name") }
        return name
    }
}

extension Logger {
    fileprivate func warning(
        _ message: Logger.Message, error: any Error, _ requestID: String, _ trace: TraceContext, _ route: String
    ) {
        log(level: .warning, message, metadata: metadata(error, requestID, trace, route))
    }

    fileprivate func error(
        _ message: Logger.Message, error: any Error, _ requestID: String, _ trace: TraceContext, _ route: String
    ) {
        log(level: .error, message, metadata: metadata(error, requestID, trace, route))
    }

    private func metadata(
        _ error: any Error, _ requestID: String, _ trace: TraceContext, _ route: String
    ) -> Logger.Metadata {
        // The type and the error's own description: errors of ours keep data values out of it.
        [
            "request_id": .string(requestID), "trace_id": .string(trace.traceID), "route": .string(route),
            "error_type": .string(String(reflecting: type(of: error))), "error": .string(String(describing: error)),
        ]
    }
}

extension RouteTable {
    /// A route as a log line names it.
    func name(_ index: Int?) -> String { index.map { routes[$0].description } ?? "none" }
}

/// Media types of bodies.
enum MediaType {
    /// Whether a `Content-Type` says JSON in UTF-8: `application/json`, with `charset=utf-8` or without parameters.
    static func isJSON(_ field: String?) -> Bool {
        guard let field else { return false }
        if field == "application/json" { return true }
        let parts = field.lowercased().split(separator: ";", omittingEmptySubsequences: true).map(Rules.trim(_:))
        guard parts.first == "application/json" else { return false }
        return parts.dropFirst().allSatisfy { part in
            !part.hasPrefix("charset=") || ["charset=utf-8", "charset=\"utf-8\""].contains(part)
        }
    }
}

extension Rules {
    fileprivate static func trim(_ text: Substring) -> String { trim(String(text)) }
}
