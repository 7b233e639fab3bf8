import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// What a process says of itself: that it lives, and whether it wants work.
public final class Health: Sendable {
    /// Something that must be well for the process to want work.
    public struct Check: Sendable {
        let name: String
        let isWell: @Sendable () async -> Bool

        /// - Parameters:
        ///   - name: what operators read, such as `postgres`.
        ///   - isWell: must answer within a second or so; it is asked with every probe.
        public init(_ name: String, isWell: @escaping @Sendable () async -> Bool) {
            self.name = name
            self.isWell = isWell
        }
    }

    /// What may be asked.
    enum Probe: String {
        case live = "/health/live"
        case ready = "/health/ready"

        init?(target: String) {
            guard target.utf8.count < 32, target.hasPrefix("/health/") else { return nil }
            let path = target.prefix { $0 != "?" }
            self.init(rawValue: path.hasSuffix("/") ? String(path.dropLast()) : String(path))
        }
    }

    private let checks: [Check]
    private let serving = Atomic(false)
    private let draining = Atomic(false)

    /// - Parameter checks: what must be well; all are asked at once.
    public init(checks: [Check] = []) {
        self.checks = checks
    }

    /// From now on the process takes requests.
    public func startServing() {
        serving.store(true, ordering: .releasing)
    }

    /// From now on the process is going away: not ready, and every answer ends its connection.
    public func drain() {
        draining.store(true, ordering: .releasing)
    }

    /// Whether the process is going away.
    public var isDraining: Bool { draining.load(ordering: .acquiring) }

    /// The names of what is not well; empty means ready.
    public func faults() async -> [String] {
        if isDraining { return ["draining"] }
        if !serving.load(ordering: .acquiring) { return ["starting"] }
        return await withTaskGroup(of: String?.self) { group in
            for check in checks {
                group.addTask { await check.isWell() ? nil : check.name }
            }
            var names: [String] = []
            for await name in group {
                if let name { names.append(name) }
            }
            return names.sorted()
        }
    }

    /// Status and body of an answer to `/health/live` or `/health/ready`, for servers other than Hummingbird's.
    public func answer(path: String) async -> (status: Int, body: ByteBuffer)? {
        guard let probe = Probe(target: path) else { return nil }
        let faults = probe == .live ? [] : await faults()
        var json = JSONWriter(capacity: 64)
        json.object { json in
            json.field("status", faults.isEmpty ? "ok" : "unavailable")
            if !faults.isEmpty {
                json.array("waiting_for") { json in
                    for fault in faults { json.element(fault) }
                }
            }
        }
        return (faults.isEmpty ? 200 : 503, json.buffer)
    }

    func response(to probe: Probe, method: HTTPRequest.Method, requestID: String) async -> Response {
        guard method == .get || method == .head else {
            return .problem(Problem(.methodNotAllowed, allow: "GET, HEAD"), requestID: requestID)
        }
        guard let (status, body) = await answer(path: probe.rawValue) else {
            return .problem(Problem(.notFound), requestID: requestID)
        }
        let response = Response.json(.init(code: status), body)
        return method == .head ? response.createHeadResponse() : response
    }
}
