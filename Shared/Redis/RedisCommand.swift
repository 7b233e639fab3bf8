import CHiredis

/// One command, encoded as it is made: `["SET", key, value]`.
///
/// hiredis' `redisFormatCommandArgv` does the encoding, with a length for every argument, so none is ever read as a
/// C string or as a format.
public struct RedisCommand: Sendable, Hashable {
    /// The command in RESP; empty when it can't be sent (no argument at all, or over `maxBytes`).
    let wire: [UInt8]

    /// 512 MiB, what a server takes at most for one argument (`proto-max-bulk-len`); hiredis counts in `int`.
    static let maxBytes = 512 << 20

    public init(_ arguments: [any RedisArgument]) {
        wire = Self.encode(arguments)
    }

    private static func encode(_ arguments: [any RedisArgument]) -> [UInt8] {
        var total = 0
        for argument in arguments {
            total += argument.redisByteCount
        }
        guard !arguments.isEmpty, total <= maxBytes, arguments.count <= 1 << 20 else { return [] }
        return withUnsafeTemporaryAllocation(byteCount: total + 1, alignment: 1) { bytes in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: arguments.count) { pointers in
                withUnsafeTemporaryAllocation(of: Int.self, capacity: arguments.count) { lengths in
                    var offset = 0
                    for (index, argument) in arguments.enumerated() {
                        let count = argument.redisByteCount
                        let target = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + count])
                        argument.copyRedisBytes(to: target)
                        // An empty argument needs a pointer too: the buffer has one byte more than the arguments.
                        let start = bytes.baseAddress.map { UnsafeRawPointer($0 + offset) }
                        pointers.initializeElement(at: index, to: start?.assumingMemoryBound(to: CChar.self))
                        lengths.initializeElement(at: index, to: count)
                        offset += count
                    }
                    return format(pointers, lengths)
                }
            }
        }
    }

    private static func format(
        _ pointers: UnsafeMutableBufferPointer<UnsafePointer<CChar>?>, _ lengths: UnsafeMutableBufferPointer<Int>
    ) -> [UInt8] {
        var formatted: UnsafeMutablePointer<CChar>?
        let count = lengths.withMemoryRebound(to: size_t.self) { lengths in
            redisFormatCommandArgv(&formatted, Int32(pointers.count), pointers.baseAddress, lengths.baseAddress)
        }
        guard count > 0, let formatted else { return [] }
        defer { redisFreeCommand(formatted) }
        return [UInt8](UnsafeRawBufferPointer(start: formatted, count: Int(count)))
    }
}

extension RedisCommand: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: any RedisArgument...) {
        self.init(elements)
    }
}

extension RedisCommand {
    /// `EVAL script <number of keys> keys… arguments…`: runs a Lua script on the server, atomically.
    public static func eval(
        _ script: String, keys: [any RedisArgument] = [], arguments: [any RedisArgument] = []
    ) -> RedisCommand {
        RedisCommand(["EVAL", script, keys.count] + keys + arguments)
    }

    /// `PUBLISH channel payload`. The number it answers counts connections that were sent the message, not readers that got it.
    public static func publish(_ payload: any RedisArgument, to channel: String) -> RedisCommand {
        RedisCommand(["PUBLISH", channel, payload])
    }
}

extension RedisCommand: CustomStringConvertible {
    /// The command's name alone: arguments are nobody's business.
    public var description: String {
        // "*2\r\n$3\r\nGET\r\n…": the name is the third line.
        let lines = wire.prefix(64).split(separator: UInt8(ascii: "\n"), maxSplits: 3)
        guard lines.count > 2 else { return "(no command)" }
        return String(decoding: lines[2].dropLast(), as: UTF8.self)
    }
}
