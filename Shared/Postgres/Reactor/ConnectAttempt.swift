import CLibpq
import Synchronization

/// Makes one connection on a thread of its own. It blocks there on purpose: libpq's blocking connect is the one that
/// keeps `connect_timeout`, for each host in turn, the resolver included; PQconnectPoll ignores it.
struct ConnectAttempt: Sendable {
    /// A connection changing hands. Sendable without check: the connecting thread is done with it when it puts this into the
    /// mailbox, whose lock orders the two threads.
    struct Handle: @unchecked Sendable {
        let pg: OpaquePointer
    }

    struct Outcome: Sendable {
        let role: ServerConnection.Role
        let result: Result<Handle, PostgresError>
    }

    let role: ServerConnection.Role
    let configuration: PostgresConfiguration
    let mailbox: Mailbox

    func start() {
        mailbox.blockedThreads.add(1, ordering: .relaxed)
        let started = DetachedThread.start("postgres-dial") {
            defer { mailbox.blockedThreads.subtract(1, ordering: .releasing) }
            let outcome = Outcome(role: role, result: connect())
            if !mailbox.put(.connected(outcome)), case .success(let handle) = outcome.result { PQfinish(handle.pg) }
        }
        if !started {
            mailbox.blockedThreads.subtract(1, ordering: .relaxed)
            let error = PostgresError(.unavailable, "no thread to connect on")
            mailbox.put(.connected(Outcome(role: role, result: .failure(error))))
        }
    }

    private func connect() -> Result<Handle, PostgresError> {
        let parameters: [(String, String)]
        switch Self.parameters(configuration, role) {
        case .success(let read): parameters = read
        case .failure(let error): return .failure(error)
        }
        guard let pg = Self.withCStrings(parameters, { PQconnectdbParams($0, $1, 0) }) else {
            return .failure(PostgresError(.unavailable, "out of memory"))
        }
        guard PQstatus(pg) == CONNECTION_OK, PQsetnonblocking(pg, 1) == 0, PQenterPipelineMode(pg) == 1 else {
            let error = PostgresError(.unavailable, String(cString: PQerrorMessage(pg)))
            PQfinish(pg)
            return .failure(error)
        }
        // libpq would print notices to stderr, between the lines of the log.
        PQsetNoticeReceiver(pg, { _, _ in }, nil)
        return .success(Handle(pg: pg))
    }

    /// The user's parameters with ours: what the user wrote stands where both speak.
    static func parameters(
        _ configuration: PostgresConfiguration, _ role: ServerConnection.Role
    ) -> Result<[(String, String)], PostgresError> {
        guard !configuration.conninfo.utf8.contains(0) else {
            return .failure(PostgresError(.unavailable, "a NUL in the connection string"))
        }
        var problem: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(configuration.conninfo, &problem) else {
            defer { PQfreemem(problem) }
            return .failure(PostgresError(.unavailable, problem.map { String(cString: $0) } ?? "bad connection string"))
        }
        defer { PQconninfoFree(options) }
        var given: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { given[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        let statement = configuration.statementTimeout.wholeMilliseconds
        let seconds = max(2, (configuration.connectTimeout.wholeMilliseconds + 999) / 1000)
        var merged = [
            "application_name": configuration.applicationName,
            "connect_timeout": "\(seconds)",
            "client_encoding": "UTF8",
            "keepalives": "1", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
            // Unanswered bytes: a peer that vanished without a word is found out within the statement's own time.
            "tcp_user_timeout": "\(max(statement, 1000))",
        ]
        merged.merge(given) { _, users in users }
        var settings =
            "-c statement_timeout=\(statement) -c idle_in_transaction_session_timeout=\(max(statement, 1000))"
        settings += " -c TimeZone=UTC"
        for (name, value) in configuration.sessionSettings.sorted(by: { $0.key < $1.key }) {
            settings += " -c \(name)=\(value)"
        }
        // What may be sent twice must not be able to write.
        if role == .shared {
            settings += " -c default_transaction_read_only=on"
            // libpq would take that very setting for the sign of a server that can't be written to.
            if given["target_session_attrs"] == "read-write" { merged["target_session_attrs"] = "primary" }
        }
        merged["options"] = given["options"].map { "\(settings) \($0)" } ?? settings
        return .success(merged.map { ($0.key, $0.value) })
    }

    private static func withCStrings<Result>(
        _ parameters: [(String, String)],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        // One buffer for all texts, so that no pointer outlives what it points to.
        var bytes: [CChar] = []
        var starts: [(Int, Int)] = []
        for (keyword, value) in parameters {
            let start = bytes.count
            bytes += keyword.utf8CString
            starts.append((start, bytes.count))
            bytes += value.utf8CString
        }
        return bytes.withUnsafeBufferPointer { buffer in
            let names: [UnsafePointer<CChar>?] = starts.map { place in buffer.baseAddress.map { $0 + place.0 } } + [nil]
            let values: [UnsafePointer<CChar>?] =
                starts.map { place in buffer.baseAddress.map { $0 + place.1 } } + [nil]
            return names.withUnsafeBufferPointer { names in
                values.withUnsafeBufferPointer { values in
                    guard let first = names.baseAddress, let second = values.baseAddress else {
                        preconditionFailure("an array with a nil at its end is not empty")
                    }
                    return body(first, second)
                }
            }
        }
    }
}
