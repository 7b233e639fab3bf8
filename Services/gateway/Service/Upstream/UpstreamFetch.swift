import Identity
import NIOCore
import NIOHTTP1

/// A small GET of the gateway's own, through the same connections that clients' requests take.
final class UpstreamFetch: UpstreamReceiver {
    struct Answer {
        var status: Int
        var body: ByteBuffer
    }

    private let pool: UpstreamPool
    private let endpoint: UpstreamEndpoint?
    private let target: String
    private let isSigned: Bool
    private let limit: Int
    private let retries: Bool
    private var completion: ((Result<Answer, UpstreamFault>) -> Void)?
    private var connection: UpstreamConnection?
    private var lastEndpoint: UpstreamEndpoint?
    private var answer: Answer?
    private var attempts: UInt64 = 0
    private var timer: Scheduled<Void>?

    /// - Parameters:
    ///   - endpoint: the address to ask; nil for any of the service's.
    ///   - isSigned: whether the request says, and proves, that it is the gateway's.
    ///   - limit: bytes of body; more is a bad answer.
    private init(
        pool: UpstreamPool, endpoint: UpstreamEndpoint?, target: String, isSigned: Bool, limit: Int,
        completion: @escaping (Result<Answer, UpstreamFault>) -> Void
    ) {
        self.pool = pool
        self.endpoint = endpoint
        self.target = target
        self.isSigned = isSigned
        self.limit = limit
        self.completion = completion
        retries = endpoint == nil
    }

    /// Asks, and calls `completion` once, on the event loop.
    static func get(
        _ target: String, from pool: UpstreamPool, endpoint: UpstreamEndpoint? = nil, isSigned: Bool = false,
        timeout: TimeAmount, limit: Int = 16 * 1024,
        _ completion: @escaping (Result<Answer, UpstreamFault>) -> Void
    ) {
        let fetch = UpstreamFetch(
            pool: pool, endpoint: endpoint, target: target, isSigned: isSigned, limit: limit,
            completion: completion)
        fetch.timer = pool.lane.eventLoop.assumeIsolated().scheduleTask(in: timeout) { fetch.end(.failure(.timedOut)) }
        fetch.connect()
    }

    private func connect() {
        attempts += 1
        if let endpoint {
            pool.lease(endpoint, self, serial: attempts, reuse: attempts > 1 ? .never : .any)
        } else {
            pool.lease(self, serial: attempts, avoiding: lastEndpoint, reuse: attempts > 1 ? .never : .any)
        }
    }

    private func end(_ result: Result<Answer, UpstreamFault>) {
        guard let completion else { return }
        self.completion = nil
        timer?.cancel()
        timer = nil
        connection?.abort()
        connection = nil
        if !pool.lane.isStopped { completion(result) }
    }

    // MARK: UpstreamReceiver

    func upstreamConnected(_ connection: UpstreamConnection, serial: UInt64) {
        guard completion != nil, serial == attempts else { return connection.giveBackUnused() }
        self.connection = connection
        lastEndpoint = connection.endpoint
        answer = nil
        let lane = pool.lane
        var bytes = lane.takeBuffer()
        bytes.writeString("GET \(target) HTTP/1.1\r\nhost: \(connection.endpoint.authority)\r\n")
        if isSigned {
            let claims = lane.seal.sign(.service("gateway"), method: "GET", path: target, now: lane.unixTime)
            bytes.writeString("\(Claims.headerName): \(claims)\r\n")
        }
        bytes.writeStaticString("\r\n")
        connection.setReading(true)
        connection.send(head: bytes, method: .GET, for: self)
        lane.giveBack(bytes)
        connection.endRequest()
        connection.flush()
    }

    func upstreamRefused(_ fault: UpstreamFault, by endpoint: UpstreamEndpoint?, serial: UInt64) {
        guard completion != nil, serial == attempts else { return }
        lastEndpoint = endpoint
        if fault == .unreachable, retries, attempts < 2, pool.endpoints.count > 1 { return connect() }
        end(.failure(fault))
    }

    func upstreamHead(_ head: HTTPResponseHead, body: ResponseBody) {
        answer = Answer(status: Int(head.status.code), body: ByteBuffer())
    }

    func upstreamBody(_ bytes: ByteBuffer) {
        answer?.body.writeImmutableBuffer(bytes)
        if let answer, answer.body.readableBytes > limit { end(.failure(.badAnswer)) }
    }

    func upstreamEnd() {
        connection = nil
        end(answer.map { .success($0) } ?? .failure(.badAnswer))
    }

    func upstreamFailed(_ fault: UpstreamFault) {
        connection = nil
        if fault == .endedBeforeAnswer, attempts < 2 { return connect() }
        end(.failure(fault))
    }

    func upstreamReadComplete() {}

    func upstreamWritability(_ isWritable: Bool) {}
}
