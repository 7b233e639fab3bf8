import Logging
import NIOCore
import Postgres
import ServiceKit

/// The one task of a consumer in which everything happens, in turns: apply what was heard, and look at the owner's
/// ledger when something may have been missed.
struct ConsumerLoop {
    let arrivals: Arrivals
    let owner: EventOwner
    let inbox: Inbox
    let rebuilding: Rebuilding
    let halt: Halt
    let metrics: ConsumerMetrics
    let settings: ConsumerSettings
    let logger: Logger
    let onCommit: @Sendable ([Event]) async -> Void

    /// Where the cursor was when last seen; other replicas move it too.
    private var cursor: Cursor?
    /// The last position that is known to exist.
    private var head: Int64 = 0
    private var isSubscribed = false
    private var mustLook = true
    /// The source seems to have been reset: what it says counts from somewhere else until a look has told from where.
    private var isInDoubt = false
    private var sawGap = false
    private var nextLook: ContinuousClock.Instant
    /// The owner could not be asked: not again before this.
    private var notBefore: ContinuousClock.Instant
    private var ownerBackoff: Backoff
    private var backoff: Backoff

    init(
        arrivals: Arrivals, owner: EventOwner, inbox: Inbox, rebuilding: Rebuilding, halt: Halt,
        metrics: ConsumerMetrics, settings: ConsumerSettings, logger: Logger,
        onCommit: @escaping @Sendable ([Event]) async -> Void
    ) {
        self.arrivals = arrivals
        self.owner = owner
        self.inbox = inbox
        self.rebuilding = rebuilding
        self.halt = halt
        self.metrics = metrics
        self.settings = settings
        self.logger = logger
        self.onCommit = onCommit
        nextLook = .now
        notBefore = .now
        ownerBackoff = Backoff(first: settings.firstPause, cap: settings.longestPause)
        backoff = ownerBackoff
    }

    private var isOver: Bool { halt.isSet || Task.isCancelled }

    /// Until the end is told.
    mutating func run() async {
        while !isOver {
            let taken = arrivals.take()
            isSubscribed = taken.isSubscribed
            if taken.mayHaveMissed { mustLook = true }
            if !isSubscribed { nextLook = min(nextLook, .now + settings.deafLookInterval) }
            do {
                try await hear(taken.messages)
                if mustLook || .now >= nextLook, .now >= notBefore { try await lookAtLedger() }
                if backoff.failures > 0 { logger.info("events take effect again") }
                backoff.reset()
            } catch {
                if isOver { return }
                // What was heard is forgotten with this: the ledger has it.
                mustLook = true
                report(error, isFirst: backoff.failures == 0)
                await halt.pause(backoff.next())
                continue
            }
            await arrivals.wait(until: mustLook ? notBefore : max(nextLook, notBefore))
        }
    }

    private func report(_ error: any Error, isFirst: Bool) {
        metrics.retries()
        let isOutage = (error as? any UnavailableError)?.isUnavailable ?? false
        let level: Logger.Level = isOutage ? (isFirst ? .warning : .debug) : .error
        logger.log(level: level, "events can't take effect now", metadata: ["error": "\(error)"])
    }

    // MARK: Messages

    /// Applies the messages that come right after the cursor, one after the other.
    private mutating func hear(_ messages: [ByteBuffer]) async throws {
        guard !messages.isEmpty else { return }
        guard let cursor, !isInDoubt else { return mustLook = true }
        var events: [Event] = []
        events.reserveCapacity(messages.count)
        for message in messages {
            guard let event = try? Event(decoding: message), event.source == owner.source else {
                // Whatever that was, the ledger knows better.
                mustLook = true
                continue
            }
            events.append(event)
        }
        // Two relays in turn may have published at the same time.
        events.sort { $0.position < $1.position }
        var next: [EventPage.Entry] = []
        for event in events {
            let expected = cursor.position + Int64(next.count) + 1
            if event.position == expected {
                next.append(.event(event))
            } else if event.position > expected {
                sawGap = true
                mustLook = true
                break
            } else if event.position == cursor.position, let read = cursor.eventID, event.id != read {
                // Another event in the place of one that was read: its source was reset. The one after it would come
                // right after the cursor and hide that for good.
                isInDoubt = true
                mustLook = true
                return
            } else if event.position < cursor.position
                || event.position == cursor.position && event.id != cursor.eventID
            {
                // Told twice, or told by a source that was reset and counts anew.
                nextLook = min(nextLook, .now + .seconds(1))
            }
        }
        head = max(head, events.last?.position ?? 0)
        if let first = next.first { metrics.reached(cursor.position, of: head, time: first.time) }
        if try await !apply(next) { mustLook = true }
    }

    // MARK: The ledger

    private mutating func lookAtLedger() async throws {
        do {
            try await pull()
        } catch let fault as OwnerFault {
            report(fault, isFirst: ownerBackoff.failures == 0)
            notBefore = .now + ownerBackoff.next()
            return mustLook = true
        }
        if ownerBackoff.failures > 0 { logger.info("the owner of events answers again") }
        ownerBackoff.reset()
        if isOver { return }
        if sawGap { metrics.healedGap() }
        sawGap = false
        mustLook = false
        isInDoubt = false
        let interval = isSubscribed ? settings.lookInterval : settings.deafLookInterval
        nextLook = .now + interval * .random(in: 0.8...1.2)
    }

    /// Pulls what comes after the cursor, page by page, until there is no more.
    private mutating func pull() async throws {
        var hasRebuilt = false
        cursor = try await inbox.cursor()
        while !isOver {
            guard let before = cursor else {
                try await startAnew(nil, .new, again: &hasRebuilt)
                continue
            }
            let page = try await page(after: before.position)
            head = page.head
            if let reason = page.reasonToRebuild(before) {
                try await startAnew(before, reason, again: &hasRebuilt)
                continue
            }
            // Before they take effect, since they may not.
            metrics.reached(before.position, of: head, time: page.entries.first?.time)
            if page.entries.isEmpty { return }
            // Where another replica has moved it meanwhile is where to go on from.
            if try await !apply(page.entries) { cursor = try await inbox.cursor() }
            if let cursor, cursor.position >= page.head { return }
        }
    }

    private mutating func startAnew(_ old: Cursor?, _ reason: Rebuilding.Reason, again: inout Bool) async throws {
        // A snapshot from which one can't go on either is no reason to store it over and over.
        guard !again else { throw OwnerFault(description: "\(owner.source) has no place to go on from") }
        again = true
        try await rebuilding.startAnew(old, reason)
        cursor = try await inbox.cursor()
    }

    private func page(after position: Int64) async throws -> EventPage {
        let body = try await owner.ledger(after: position, limit: settings.pageLimit)
        do throws(EnvelopeFault) {
            return try EventPage(decoding: body, after: position)
        } catch {
            guard error == .tooDeep else { throw OwnerFault(description: "\(owner.source) answered: \(error)") }
            return try await narrowPage(after: position)
        }
    }

    /// A page of one: an event of which not even the end is found spoils no other.
    private func narrowPage(after position: Int64) async throws -> EventPage {
        let body = try await owner.ledger(after: position, limit: 1)
        do throws(EnvelopeFault) {
            return try EventPage(decoding: body, after: position)
        } catch {
            guard error == .tooDeep else { throw OwnerFault(description: "\(owner.source) answered: \(error)") }
            let entry = EventPage.Entry.unreadable(
                position: position + 1, content: .string(String(buffer: body)), error)
            return EventPage(head: position + 1, oldest: 1, entries: [entry])
        }
    }

    // MARK: Effects

    private mutating func apply(_ entries: [EventPage.Entry]) async throws -> Bool {
        guard !entries.isEmpty else { return true }
        return try await inbox.apply(entries[...], until: halt) { await note($0) }
    }

    private mutating func note(_ outcome: Inbox.Outcome) async {
        switch outcome {
        case .applied(let events, let reached):
            cursor = reached
            metrics.applied(events.count)
            metrics.reached(reached.position, of: head, time: events.last?.time)
            if !events.isEmpty { await onCommit(events) }
        case .elsewhere(let found):
            cursor = found
        case .noCursor:
            cursor = nil
        }
    }
}
