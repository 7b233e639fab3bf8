/// An address of a transport as a setting has it: `scheme://user:password@host:port?name=value&…` (RFC 3986).
///
/// Percent-escapes are decoded; a plus sign is one, since numbers begin with it.
struct TransportURL: Sendable {
    var scheme: String
    var user: String?
    var password: String?
    /// An IPv6 address in its brackets.
    var host: String
    var port: Int?
    private var parameters: [String: String]

    /// - Returns: nil when it has another form, a path, or a parameter twice.
    init?(_ text: String) {
        guard let colon = text.range(of: "://") else { return nil }
        scheme = text[..<colon.lowerBound].lowercased()
        let parts = text[colon.upperBound...].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var authority = parts[0]
        if authority.hasSuffix("/") { authority.removeLast() }
        guard !authority.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "#") }) else {
            return nil
        }
        if let at = authority.lastIndex(of: "@") {
            let login = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let user = Self.decoded(login[0]), !user.isEmpty else { return nil }
            self.user = user
            if login.count == 2 {
                guard let password = Self.decoded(login[1]) else { return nil }
                self.password = password
            }
            authority = authority[authority.index(after: at)...]
        }
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map(authority.index(after:)) : nil
        let hostEnd = end ?? authority.firstIndex(of: ":") ?? authority.endIndex
        host = String(authority[..<hostEnd])
        if hostEnd < authority.endIndex {
            guard authority[hostEnd] == ":", let port = Int(authority[hostEnd...].dropFirst()),
                (1...65_535).contains(port)
            else { return nil }
            self.port = port
        }
        guard Self.isHost(host) else { return nil }
        parameters = [:]
        for pair in parts.count == 2 ? parts[1].split(separator: "&") : [] {
            let words = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(words[0]), words.count == 2, let value = Self.decoded(words[1]),
                parameters.updateValue(value, forKey: name) == nil
            else { return nil }
        }
    }

    /// The value of a parameter, which is then no longer there.
    mutating func take(_ name: String) -> String? {
        parameters.removeValue(forKey: name)
    }

    /// Whether every parameter was taken: one that nobody knows is a mistake that would stay unseen.
    var isUsedUp: Bool { parameters.isEmpty }

    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 255
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-.:[]_".utf8.contains(byte)
            }
    }

    /// RFC 3986, section 2.1; nil for a broken escape, bytes that are no text, and control characters.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, rest.prefix(2).allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
