import NIOCore
import Redis
import ServiceKit

/// Puts events on the service's channel, one batch after the other. Whoever gives it some does not wait for Redis; what
/// Redis can't take now is dropped, since those who read find the gap.
struct Publisher: Sendable {
    /// Batches that may wait; of more the oldest go.
    private static let most = 16

    private let channel: String
    private let redis: RedisClient
    private let metrics: RelayMetrics
    private let batches: AsyncStream<[RedisCommand]>
    private let continuation: AsyncStream<[RedisCommand]>.Continuation

    init(channel: String, redis: RedisClient, metrics: RelayMetrics) {
        self.channel = channel
        self.redis = redis
        self.metrics = metrics
        (batches, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.most))
    }

    func publish(_ rows: [OutboxRow]) {
        guard !rows.isEmpty else { return }
        let commands = rows.map { row in
            var json = JSONWriter(capacity: 512)
            row.write(into: &json)
            return RedisCommand.publish(json.buffer, to: channel)
        }
        if case .dropped(let dropped) = continuation.yield(commands) { metrics.failedToPublish(dropped.count) }
    }

    /// No more will come.
    func finish() {
        continuation.finish()
    }

    /// Publishes what is given until ``finish()``; at once no more when the task is cancelled.
    func run() async {
        for await commands in batches {
            if Task.isCancelled { return }
            let redis = redis
            // On the client's loop: they leave in one write, and need no task each.
            let results = try? await redis.eventLoop.flatSubmit {
                EventLoopFuture.whenAllComplete(commands.map { redis.sendOnLoop($0) }, on: redis.eventLoop)
            }.get()
            let published = (results ?? []).count { if case .success = $0 { true } else { false } }
            metrics.published(published)
            if published < commands.count { metrics.failedToPublish(commands.count - published) }
        }
    }
}
