import NIOCore
import NIOHTTP1

/// Feeds NIO's HTTP decoder exactly the bytes of one message.
///
/// Its parser reads on into whatever follows a message, and it keeps back a field that is cut by the end of a buffer and
/// wants to see it again; this holds what it kept back.
struct DecoderFeed {
    private var keptBack = ByteBuffer()

    /// Decodes bytes; the parts are fired from `context`.
    mutating func feed<Decoder: ByteToMessageDecoder>(
        _ bytes: consuming ByteBuffer, to decoder: inout Decoder, context: ChannelHandlerContext
    ) throws {
        if keptBack.readableBytes > 0 {
            keptBack.writeImmutableBuffer(bytes)
            bytes = keptBack
            keptBack = ByteBuffer()
        }
        _ = try decoder.decode(context: context, buffer: &bytes)
        if bytes.readableBytes > 0 { keptBack = bytes }
    }
}
