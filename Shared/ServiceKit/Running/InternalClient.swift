import AsyncHTTPClient
import Identity
import NIOCore
import NIOHTTP1

/// Calls another service of ours, signed as one of ours.
///
/// Each call has one deadline for everything. A GET that fails before a whole answer came is tried once more at the
/// next address, or at the only one; nothing else is.
public struct InternalClient: Sendable {
    /// An answer, read whole.
    public struct Answer: Sendable {
        /// The HTTP status code.
        public let status: Int
        /// At most the limit of the call.
        public let body: ByteBuffer
    }

    /// The other side can't be asked now.
    public struct Unreachable: UnavailableError, CustomStringConvertible {
        /// Always: it may be back in a moment.
        public var isUnavailable: Bool { true }
        /// What happened, for the log.
        public let description: String
    }

    private let http: HTTPClient
    private let name: String
    private let addresses: [String]
    private let seal: IdentitySeal

    /// - Parameters:
    ///   - name: the service that calls.
    ///   - addresses: where the other one is: `http://host:port`, one or more.
    ///   - http: makes the requests, best one of ``httpConfiguration``; the caller shuts it down.
    public init(name: String, addresses: [String], seal: IdentitySeal, http: HTTPClient) {
        self.http = http
        self.name = name
        self.addresses = addresses
        self.seal = seal
    }

    /// How a client for this is set up: a connection that is refused is an error at once, since another address, or
    /// the caller's caller, can do better than wait.
    public static var httpConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            // To connect takes a millisecond, or a packet was lost, which the system sends again after a second, or the
            // replica is gone: a call must have time for another try. The deadline of a call is shorter than what it may
            // read for, which ends what nobody has set one for.
            timeout: .init(connect: .milliseconds(400), read: .seconds(30)))
        configuration.connectionPool.retryConnectionEstablishment = false
        // Shorter than ``ServiceRunner/Configuration/idleTimeout``.
        configuration.connectionPool.idleTimeout = .seconds(30)
        return configuration
    }

    /// Asks for a resource.
    ///
    /// - Parameters:
    ///   - path: the path with its query.
    ///   - trace: of the request on whose behalf this is.
    ///   - deadline: from now, for connecting, asking and reading.
    ///   - limit: bytes of body; more is an error.
    /// - Throws: ``Unreachable``.
    public func get(
        _ path: String, trace: TraceContext? = nil, requestID: String? = nil, deadline: Duration = .seconds(2),
        limit: Int = 1024 * 1024
    ) async throws(Unreachable) -> Answer {
        let end = NIODeadline.now() + .nanoseconds(deadline.nanoseconds)
        var failure: any Error = Unreachable(description: "no address")
        // One name can stand for several replicas, and a kept connection may have been closed meanwhile.
        let candidates = addresses.count == 1 ? addresses + addresses : Array(addresses.shuffled().prefix(2))
        for (index, address) in candidates.enumerated() where index == 0 || NIODeadline.now() < end {
            // One that does not answer must leave time for another.
            let isAlone = index > 0 || addresses.count == 1
            let end = isAlone ? end : NIODeadline.now() + .nanoseconds(deadline.nanoseconds / 2)
            do {
                var request = HTTPClientRequest(url: address + path)
                request.headers.add(
                    name: Claims.headerName,
                    value: seal.sign(.service(name), method: "GET", path: path, now: WallClock.seconds))
                if let trace { request.headers.add(name: TraceContext.headerName, value: trace.traceparent) }
                if let requestID { request.headers.add(name: RequestIdentifier.headerName, value: requestID) }
                let response = try await http.execute(request, deadline: end)
                let body = try await response.body.collect(upTo: limit, by: end)
                return Answer(status: Int(response.status.code), body: body)
            } catch {
                failure = error
            }
        }
        throw Unreachable(description: String(describing: failure))
    }
}
