extension SMTPServer {
    /// What ``init(_:)`` reads, for a message to operators.
    static let form = """
        smtp://user:password@host:587?starttls=required or smtps://user:password@host:465, with &ca=<file>, \
        &connections=<1 to 32>, &timeout=<5 to 900 seconds>
        """

    /// - Returns: nil when it isn't such a URL, or one by which a password would travel in clear to another machine.
    init?(_ text: String) {
        guard var url = TransportURL(text), ["smtp", "smtps"].contains(url.scheme) else { return nil }
        let startTLS = url.take("starttls")
        if url.scheme == "smtps" {
            guard startTLS == nil else { return nil }
            security = .implicit
        } else {
            guard let choice = Security(rawValue: startTLS ?? "required"), choice != .implicit else { return nil }
            security = choice
        }
        host = url.host
        port = url.port ?? (security == .implicit ? 465 : 587)
        if let user = url.user {
            guard let password = url.password else { return nil }
            login = Login(user: user, password: password)
        }
        authorities = url.take("ca")
        guard let connections = Self.number(url.take("connections"), in: 1...32, default: 4),
            let timeout = Self.number(url.take("timeout"), in: 5...900, default: 60), url.isUsedUp,
            login == nil || security == .implicit || security == .required || Self.isThisMachine(host)
        else { return nil }
        self.connections = connections
        self.timeout = .seconds(timeout)
    }

    private static func number(_ text: String?, in range: ClosedRange<Int>, default otherwise: Int) -> Int? {
        guard let text else { return otherwise }
        return Int(text).flatMap { range.contains($0) ? $0 : nil }
    }

    private static func isThisMachine(_ host: String) -> Bool {
        ["127.0.0.1", "[::1]", "localhost"].contains(host)
    }
}
