import CHiredis
import NIOCore

/// hiredis' `redisReader`, which calls back for every value it has read; the values are built in Swift, so there is no
/// tree of `redisReply` to walk and free.
///
/// Owned by one event loop. After an error it is not used again (hiredis keeps its `err`).
final class ReplyReader {
    private let reader: UnsafeMutablePointer<redisReader>
    private let builder: ReplyBuilder
    private let maxBytes: Int

    /// hiredis moves its unread bytes to the front after every kilobyte of replies; small portions keep that cheap.
    private static let portion = 16 << 10
    /// A line (`:12`, `$5`, `+OK`, an error) that goes on for longer than this is no Redis server's.
    private static let maxLineBytes = 64 << 10

    init?(maxBytes: Int) {
        guard let reader = redisReaderCreateWithFunctions(ReplyBuilder.functions) else { return nil }
        self.reader = reader
        self.maxBytes = maxBytes
        builder = ReplyBuilder(maxBytes: maxBytes)
        reader.pointee.privdata = Unmanaged.passUnretained(builder).toOpaque()
    }

    deinit {
        redisReaderFree(reader)
    }

    /// Takes bytes in and hands on every reply they complete, in order, until `deliver` returns false.
    /// - Throws: `RedisError.protocolViolation`.
    func feed(_ buffer: ByteBuffer, _ deliver: (RESPValue) -> Bool) throws(RedisError) {
        var rest = buffer
        while let portion = rest.readSlice(length: min(rest.readableBytes, Self.portion)), portion.readableBytes > 0 {
            let fed = portion.withUnsafeReadableBytes { bytes in
                redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            guard fed == REDIS_OK else { throw violation() }
            while let reply = try next() {
                guard deliver(reply) else { return }
            }
            try checkUnread()
        }
    }

    private func next() throws(RedisError) -> RESPValue? {
        var object: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw violation() }
        return builder.take()
    }

    /// What hiredis holds back until a value is complete must stay bounded, and be a bulk string if it is long: it looks
    /// for a line's end from the start each time.
    private func checkUnread() throws(RedisError) {
        let unread = reader.pointee.len - reader.pointee.pos
        guard unread > Self.maxLineBytes else { return }
        guard unread <= maxBytes, let start = reader.pointee.buf?.advanced(by: reader.pointee.pos) else {
            throw RedisError(.protocolViolation, "reply larger than \(maxBytes) bytes")
        }
        // A line with an end would have been read: what has one near its start and is not complete is a bulk string.
        guard UnsafeBufferPointer(start: start, count: 24).contains(CChar(UInt8(ascii: "\n"))) else {
            throw RedisError(.protocolViolation, "line longer than \(Self.maxLineBytes) bytes")
        }
    }

    private func violation() -> RedisError {
        let text = withUnsafeBytes(of: reader.pointee.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return RedisError(.protocolViolation, text)
    }
}
