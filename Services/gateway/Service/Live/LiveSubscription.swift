import Logging
import Metrics
import NIOCore
import Redis
import ServiceKit

/// Hears what the services publish and tells every event loop, on one loop for all of them.
///
/// Redis' pub/sub is a doorbell only. What it lost is found in the ledgers of the services: at the start, after a
/// reconnect, when a position is missing, and now and then, since a last message that was lost leaves no gap to see.
/// While Redis is away the ledgers are asked every second.
final class LiveSubscription {
    private let lane: Lane
    private let logger: Logger
    private let tell: (LiveNews) -> Void
    private var sources: [Source]
    private var isConnected = false

    private struct Source {
        let name: ServiceName
        var feed: LiveFeed
        var isAsking = false
        var nextAsk = NIODeadline.uptimeNanoseconds(0)
        var failures = 0
        let events: Counter
        let missed: Counter
        let unreadable: Counter
        let position: Gauge

        init(_ name: ServiceName, history: Int) {
            self.name = name
            feed = LiveFeed(history: Int64(history))
            let dimensions = [("source", name.rawValue)]
            events = Counter(label: "gateway_live_events_total", dimensions: dimensions)
            missed = Counter(label: "gateway_live_gaps_total", dimensions: dimensions)
            unreadable = Counter(label: "gateway_live_unreadable_events_total", dimensions: dimensions)
            position = Gauge(label: "gateway_live_position", dimensions: dimensions)
        }
    }

    /// Events of one question, and bytes of one answer.
    private static let pageEvents = 200
    private static let pageBytes = 2 * 1024 * 1024
    private static let askTimeout = TimeAmount.seconds(2)
    /// While there is no telling when something has happened.
    private static let askWithoutRedis = TimeAmount.seconds(1)
    /// After a question that was not answered: this, doubled each time.
    private static let retry = TimeAmount.milliseconds(250)
    private static let maximumRetry = TimeAmount.seconds(8)

    /// - Parameter tell: passes news on to every loop, this one among them.
    init(lane: Lane, logger: Logger, tell: @escaping (LiveNews) -> Void) {
        self.lane = lane
        self.logger = logger
        self.tell = tell
        sources = ServiceName.allCases.map { Source($0, history: lane.limits.live.replayEvents) }
    }

    /// Hears the services through Redis; what it does, it does on the lane's loop, on which this is called.
    func subscriber(_ configuration: RedisConfiguration) -> RedisSubscriber {
        let me = NIOLoopBound(self, eventLoop: lane.eventLoop)
        return RedisSubscriber(
            configuration.named("gateway-live"), eventLoop: lane.eventLoop,
            channels: ServiceName.allCases.map { Self.channel($0) }, logger: logger,
            onMessage: { channel, payload in me.value.heard(payload, on: channel) },
            onUp: { me.value.connected() }, onDown: { me.value.disconnected() })
    }

    private static func channel(_ source: ServiceName) -> String { "techheroes.\(source.rawValue)" }

    // MARK: From Redis

    /// What was published before is not known: ask for it.
    private func connected() {
        isConnected = true
        for index in sources.indices { sources[index].nextAsk = lane.now }
        tick(now: lane.now)
    }

    private func disconnected() {
        isConnected = false
        let soon = lane.now + Self.askWithoutRedis
        for index in sources.indices { sources[index].nextAsk = min(sources[index].nextAsk, soon) }
    }

    func heard(_ payload: ByteBuffer, on channel: String) {
        guard let index = sources.firstIndex(where: { Self.channel($0.name) == channel }) else { return }
        let source = sources[index].name
        guard let envelope = try? JSONParser.value(payload), let event = LiveEvent(envelope, source: source) else {
            // It has a place in the ledger, and is passed over there.
            sources[index].unreadable.increment()
            return ask(index)
        }
        switch sources[index].feed.hear(event) {
        case .known: break
        case .next: pass(index, [event])
        case .ahead:
            if !sources[index].isAsking { sources[index].missed.increment() }
            ask(index)
        }
    }

    // MARK: From the ledgers

    func tick(now: NIODeadline) {
        for index in sources.indices where now >= sources[index].nextAsk { ask(index) }
    }

    private func ask(_ index: Int) {
        guard !sources[index].isAsking else { return }
        sources[index].isAsking = true
        let source = sources[index].name
        let after = sources[index].feed.ask
        UpstreamFetch.get(
            "/internal/v1/events?after=\(after)&limit=\(Self.pageEvents)", from: lane.pool(source), isSigned: true,
            timeout: Self.askTimeout, limit: Self.pageBytes
        ) { [self] result in
            sources[index].isAsking = false
            if case .success(let answer) = result, answer.status == 200,
                let page = LivePage(answer.body, source: source, after: after)
            {
                take(page, after: after, index)
            } else {
                failed(index)
            }
        }
    }

    private func take(_ page: LivePage, after: Int64, _ index: Int) {
        if sources[index].failures > 0 {
            logger.info("a ledger answers again", metadata: ["upstream": "\(sources[index].name.rawValue)"])
        }
        sources[index].failures = 0
        let step = sources[index].feed.take(page, after: after)
        if let restart = step.restart {
            tell(.restart(sources[index].name, floor: restart.floor, head: restart.head))
        }
        if step.unreadable > 0 { sources[index].unreadable.increment(by: step.unreadable) }
        if !step.events.isEmpty || step.unreadable > 0 { pass(index, step.events) }
        if step.isBehind { return ask(index) }
        let pause =
            sources[index].feed.isWaiting
            ? Self.retry : isConnected ? lane.limits.live.askInterval : Self.askWithoutRedis
        sources[index].nextAsk = lane.now + pause
    }

    /// A service that is away, or an older release of it that has no ledger.
    private func failed(_ index: Int) {
        sources[index].failures += 1
        if sources[index].failures == 1 {
            logger.warning("a ledger does not answer", metadata: ["upstream": "\(sources[index].name.rawValue)"])
        }
        let pause = Self.retry * (1 << min(sources[index].failures - 1, 5))
        sources[index].nextAsk = lane.now + min(pause, Self.maximumRetry)
    }

    private func pass(_ index: Int, _ events: [LiveEvent]) {
        let position = sources[index].feed.position ?? 0
        sources[index].events.increment(by: events.count)
        sources[index].position.record(position)
        tell(.events(sources[index].name, events, through: position))
    }
}
