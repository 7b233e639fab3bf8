import NIOCore

/// What can stand in a command: text, bytes and whole numbers. Arguments are bytes, never a format: NUL, CRLF and `%s`
/// are as good as any others.
public protocol RedisArgument: Sendable {
    /// How many bytes `copyRedisBytes` writes.
    var redisByteCount: Int { get }
    /// Writes the argument's bytes to the start of `target`, which has room for `redisByteCount` bytes.
    func copyRedisBytes(to target: UnsafeMutableRawBufferPointer)
}

extension String: RedisArgument {
    public var redisByteCount: Int { utf8.count }

    public func copyRedisBytes(to target: UnsafeMutableRawBufferPointer) {
        var text = self
        text.withUTF8 { target.copyMemory(from: UnsafeRawBufferPointer($0)) }
    }
}

extension Substring: RedisArgument {
    public var redisByteCount: Int { utf8.count }

    public func copyRedisBytes(to target: UnsafeMutableRawBufferPointer) {
        var text = self
        text.withUTF8 { target.copyMemory(from: UnsafeRawBufferPointer($0)) }
    }
}

extension [UInt8]: RedisArgument {
    public var redisByteCount: Int { count }

    public func copyRedisBytes(to target: UnsafeMutableRawBufferPointer) {
        withUnsafeBytes { target.copyMemory(from: $0) }
    }
}

extension ByteBuffer: RedisArgument {
    public var redisByteCount: Int { readableBytes }

    public func copyRedisBytes(to target: UnsafeMutableRawBufferPointer) {
        withUnsafeReadableBytes { target.copyMemory(from: $0) }
    }
}

extension Int: RedisArgument {
    public var redisByteCount: Int { String(self).redisByteCount }

    public func copyRedisBytes(to target: UnsafeMutableRawBufferPointer) {
        String(self).copyRedisBytes(to: target)
    }
}

extension Int64: RedisArgument {
    public var redisByteCount: Int { String(self).redisByteCount }

    public func copyRedisBytes(to target: UnsafeMutableRawBufferPointer) {
        String(self).copyRedisBytes(to: target)
    }
}
