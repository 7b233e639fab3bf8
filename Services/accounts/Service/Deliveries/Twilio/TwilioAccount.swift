/// An account at Twilio and the number that messages come from: `SMS_URL`.
struct TwilioAccount: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The account's name.
    var sid: String
    /// Never logged.
    var token: String
    /// E.164: a plus sign and digits.
    var from: String
    /// Without a slash at its end.
    var baseURL: String

    /// What ``init(_:)`` reads, for a message to operators.
    static let form = "twilio://sid:token@api.twilio.com?from=+1…, perhaps with &base=<http or https URL>"

    /// - Returns: nil when it isn't such a URL.
    init?(_ text: String) {
        guard var url = TransportURL(text), url.scheme == "twilio", let sid = url.user, let token = url.password,
            !token.isEmpty, sid.utf8.allSatisfy(Self.isAlphanumeric), let from = url.take("from"), Self.isE164(from)
        else { return nil }
        let port = url.port.map { ":\($0)" } ?? ""
        var base = url.take("base") ?? "https://\(url.host)\(port)"
        if base.hasSuffix("/") { base.removeLast() }
        guard let address = TransportURL(base), ["http", "https"].contains(address.scheme), address.user == nil,
            address.isUsedUp, url.isUsedUp
        else { return nil }
        self.sid = sid
        self.token = token
        self.from = from
        self.baseURL = base
    }

    var description: String { "\(baseURL), from \(from)" }
    var debugDescription: String { description }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isE164(_ text: String) -> Bool {
        text.hasPrefix("+") && (8...16).contains(text.utf8.count)
            && text.utf8.dropFirst().allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
