import Logging
import Postgres
import ServiceKit

/// Fills a service's copies from the owner's snapshot.
struct Rebuilding: Sendable {
    let owner: EventOwner
    let inbox: Inbox
    let snapshot: EventConsumer.Snapshot?
    let metrics: ConsumerMetrics
    let logger: Logger

    /// Why a cursor can't go on.
    enum Reason: Sendable, Equatable {
        /// There is none.
        case new
        /// The owner does not keep any more what comes after it.
        case pruned(oldest: Int64)
        /// The owner's events are not those that the cursor counted: its database was restored, or is another one.
        case reset(head: Int64)
    }

    /// Stores the whole snapshot. A cursor that can go on stays where it is, so that nothing is skipped: what comes
    /// after it takes effect on top of the copies, which know what is newer.
    func fillAnew() async throws {
        guard snapshot != nil else { return }
        let old = try await inbox.cursor()
        let position = try await storeAll()
        guard let old else {
            try await inbox.moveCursor(from: nil, to: position)
            return
        }
        let body = try await owner.ledger(after: old.position, limit: 1)
        guard let page = try? EventPage(decoding: body, after: old.position) else { return }
        if let reason = page.reasonToRebuild(old) {
            logger.notice("cursor moved to the snapshot's position", metadata: ["reason": "\(reason)"])
            try await inbox.moveCursor(from: old, to: position)
        }
    }

    /// Gives a consumer that can't go on a place from which it can.
    ///
    /// - Parameter old: the cursor as it was when that was found out. Should it have been moved meanwhile, by another
    ///   replica, it is left alone.
    func startAnew(_ old: Cursor?, _ reason: Reason) async throws {
        if snapshot != nil {
            logger.notice("rebuilding from a snapshot", metadata: ["reason": "\(reason)"])
            let position = try await storeAll()
            try await inbox.moveCursor(from: old, to: position)
            return
        }
        switch reason {
        case .new:
            let body = try await owner.ledger(after: 0, limit: 1)
            guard let page = try? EventPage(decoding: body, after: 0) else {
                throw OwnerFault(description: "\(owner.source) answered no page of events")
            }
            try await inbox.moveCursor(from: nil, to: page.oldest - 1)
        case .pruned(let oldest):
            if try await inbox.moveCursor(from: old, to: oldest - 1) {
                let lost = oldest - 1 - (old?.position ?? 0)
                metrics.lost(lost)
                logger.error("events were pruned before they were read", metadata: ["count": "\(lost)"])
            }
        case .reset(let head):
            // What it holds was read before, under other positions; what it has published since can't be told from it.
            if try await inbox.moveCursor(from: old, to: head) {
                logger.error(
                    "the source was reset: events since then may not have been read",
                    metadata: ["cursor": "\(old?.position ?? 0)", "head": "\(head)"])
            }
        }
    }

    /// - Returns: the position of the first page: whatever comes after it may be missing in some page.
    private func storeAll() async throws -> Int64 {
        guard let snapshot else { return 0 }
        var next: String?
        var position: Int64?
        var count = 0
        repeat {
            let page = try await owner.snapshot(snapshot.path, after: next)
            if !page.items.isEmpty {
                try await inbox.postgres.withTransaction { try await snapshot.store(page.items, $0) }
            }
            position = position ?? page.position
            count += page.items.count
            if let key = page.next, key == next {
                throw OwnerFault(description: "\(owner.source) answered a snapshot that does not go on")
            }
            next = page.next
            try Task.checkCancellation()
        } while next != nil
        metrics.rebuilt()
        logger.info("snapshot stored", metadata: ["items": "\(count)", "position": "\(position ?? 0)"])
        return position ?? 0
    }
}

extension EventPage {
    /// Why a cursor, after whose position this page was asked for, can't go on; nil when it can.
    func reasonToRebuild(_ cursor: Cursor) -> Rebuilding.Reason? {
        if head < cursor.position { return .reset(head: head) }
        if let last, let read = cursor.eventID, last != read { return .reset(head: head) }
        return isPruned ? .pruned(oldest: oldest) : nil
    }
}
