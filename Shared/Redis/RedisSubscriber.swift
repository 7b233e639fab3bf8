import Logging
import NIOCore
import ServiceLifecycle

/// Pub/sub on a connection of its own, which comes back and subscribes again by itself.
///
/// Redis drops what it publishes while a subscriber is away: whoever must not miss anything reads the ledger when `onUp`
/// is called.
public final class RedisSubscriber: Service, Sendable {
    private let link: RedisLink

    /// - Parameters:
    ///   - channels: exact names.
    ///   - onMessage: each message, in order.
    ///   - onUp: all channels are subscribed; messages may have been missed before.
    ///   - onDown: the connection ended, or a ping was not answered within the command timeout.
    ///
    /// All three are called on `eventLoop` and must be quick.
    public init(
        _ configuration: RedisConfiguration, eventLoop: any EventLoop, channels: [String], logger: Logger,
        onMessage: @escaping @Sendable (_ channel: String, _ payload: ByteBuffer) -> Void,
        onUp: @escaping @Sendable () -> Void = {}, onDown: @escaping @Sendable () -> Void = {}
    ) {
        link = RedisLink(configuration, eventLoop: eventLoop, channels: channels, logger: logger)
        link.onMessage = { channel, payload in
            if case .bulk(let bytes) = payload { onMessage(String(buffer: channel), bytes) }
        }
        link.onUp = { _ in onUp() }
        link.onDown = onDown
    }

    /// Stays subscribed until the service group shuts down or the task is cancelled.
    /// - Throws: `RedisError.closed` when called a second time.
    public func run() async throws {
        try await RedisLink.run([link])
    }
}
