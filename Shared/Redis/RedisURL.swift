/// The parts of `redis://[[user:]password@]host[:port][/database]` (IANA's `redis` and `rediss` schemes).
struct RedisURL {
    var secure: Bool
    var username: String?
    var password: String?
    var host: String
    var port = 6379
    var database = 0

    init(_ url: String) throws {
        var rest: Substring
        if url.hasPrefix("redis://") {
            secure = false
            rest = url.dropFirst(8)
        } else if url.hasPrefix("rediss://") {
            secure = true
            rest = url.dropFirst(9)
        } else {
            throw RedisConfigurationError.badScheme
        }

        if let slash = rest.firstIndex(of: "/") {
            let path = rest[rest.index(after: slash)...]
            rest = rest[..<slash]
            if !path.isEmpty {
                guard let number = Int(path), (0...65535).contains(number) else {
                    throw RedisConfigurationError.badDatabase
                }
                database = number
            }
        }
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at]
            rest = rest[rest.index(after: at)...]
            // As redis-cli: without a colon it is the password.
            if let colon = user.firstIndex(of: ":") {
                let name = try Self.decode(user[..<colon])
                username = name.isEmpty ? nil : name
                password = try Self.decode(user[user.index(after: colon)...])
            } else {
                password = try Self.decode(user)
            }
        }
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw RedisConfigurationError.badHost }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
        } else {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            host = try Self.decode(rest[..<end])
            rest = rest[end...]
        }
        guard !host.isEmpty else { throw RedisConfigurationError.badHost }
        if !rest.isEmpty {
            guard rest.first == ":", let number = Int(rest.dropFirst()), (1...65535).contains(number) else {
                throw RedisConfigurationError.badPort
            }
            port = number
        }
    }

    private static func decode(_ text: Substring) throws -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { throw RedisConfigurationError.badPercentEncoding }
            bytes.append(value)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
