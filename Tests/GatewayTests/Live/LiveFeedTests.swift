import Foundation
import NIOCore
import ServiceKit
import Testing

@testable import GatewayService

/// An event at a place.
func liveEvent(_ position: Int64, to users: [UUID] = [], id: UUID? = nil, source: ServiceName = .calls) throws
    -> LiveEvent
{
    let envelope = JSONValue.object([
        "position": .integer(position), "id": .string((id ?? UUID()).uuidString), "type": .string("call.requested"),
        "subject": .string("1"), "time": .string("2026-01-01T00:00:00.000000Z"), "data": .object([:]),
        "recipients": .array(users.map { .string($0.uuidString) }),
    ])
    return try #require(LiveEvent(envelope, source: source))
}

@Suite("What is heard and what the ledger says become one feed") struct LiveFeedTests {
    /// A feed that has begun with a ledger whose head is at 10.
    private static func begun() throws -> LiveFeed {
        var feed = LiveFeed(history: 0)
        let step = feed.take(LivePage(head: 10, oldest: 1), after: feed.ask)
        #expect(step.restart?.floor == 10)
        #expect(step.restart?.head == 10)
        #expect(!step.isBehind)
        return feed
    }

    @Test func `it begins with the ledger's head, and asks for some of the past`() throws {
        var feed = LiveFeed(history: 3)
        #expect(feed.hear(try liveEvent(11)) == .ahead)
        let step = feed.take(LivePage(head: 11, oldest: 5), after: feed.ask)
        #expect(step.restart?.floor == 8)
        #expect(step.restart?.head == 11)
        #expect(step.isBehind)
        #expect(feed.ask == 8)
        let page = LivePage(head: 11, oldest: 5, events: try [9, 10, 11].map { try liveEvent($0) })
        let past = feed.take(page, after: 8)
        #expect(past.events.map(\.position) == [9, 10, 11])
        #expect(!past.isBehind)
    }

    @Test func `it asks for no more of the past than there is`() throws {
        var feed = LiveFeed(history: 100)
        #expect(feed.take(LivePage(head: 10, oldest: 7), after: feed.ask).restart?.floor == 6)
        var empty = LiveFeed(history: 100)
        #expect(empty.take(LivePage(head: 0, oldest: 1), after: empty.ask).restart?.floor == 0)
    }

    @Test func `the next event is passed on, one that came before is not`() throws {
        var feed = try Self.begun()
        #expect(feed.hear(try liveEvent(11)) == .next)
        #expect(feed.hear(try liveEvent(11)) == .known)
        #expect(feed.hear(try liveEvent(3)) == .known)
        #expect(feed.hear(try liveEvent(12)) == .next)
        #expect(feed.position == 12)
    }

    @Test func `a gap is filled from the ledger, and nothing comes twice`() throws {
        var feed = try Self.begun()
        #expect(feed.hear(try liveEvent(13)) == .ahead)
        let after = feed.ask
        #expect(after == 10)
        // Heard while the answer is on its way.
        #expect(feed.hear(try liveEvent(11)) == .next)
        let step = feed.take(
            LivePage(head: 13, oldest: 1, events: try [11, 12, 13].map { try liveEvent($0) }), after: after)
        #expect(step.events.map(\.position) == [12, 13])
        #expect(!step.isBehind)
        #expect(!feed.isWaiting)
    }

    @Test func `a page that is not all is followed by another question`() throws {
        var feed = try Self.begun()
        let step = feed.take(LivePage(head: 20, oldest: 1, events: try [11, 12].map { try liveEvent($0) }), after: 10)
        #expect(step.isBehind)
        #expect(feed.ask == 12)
    }

    @Test func `an answer older than what was heard since is no sign of a new ledger`() throws {
        var feed = try Self.begun()
        let after = feed.ask
        #expect(feed.hear(try liveEvent(11)) == .next)
        let step = feed.take(LivePage(head: 10, oldest: 1), after: after)
        #expect(step.restart == nil)
        #expect(feed.position == 11)
    }

    @Test func `an event that can't be read is passed over`() throws {
        var feed = try Self.begun()
        let step = feed.take(LivePage(head: 12, oldest: 1, events: [nil, try liveEvent(12)]), after: 10)
        #expect(step.events.map(\.position) == [12])
        #expect(step.unreadable == 1)
        #expect(feed.position == 12)
    }

    @Test(arguments: ["behind", "pruned", "other", "far"])
    func `a ledger that is not the one it was is begun anew`(how: String) throws {
        var feed = try Self.begun()
        #expect(feed.hear(try liveEvent(11, id: UUID())) == .next)
        let page =
            switch how {
            case "behind": LivePage(head: 3, oldest: 1)
            case "pruned": LivePage(head: 500, oldest: 400, isPruned: true)
            case "other": LivePage(head: 20, oldest: 1, last: UUID(), events: [try liveEvent(12)])
            default: LivePage(head: 11 + LiveFeed.maximumLag + 1, oldest: 1, events: [try liveEvent(12)])
            }
        let step = feed.take(page, after: 11)
        #expect(step.events.isEmpty)
        #expect(step.isBehind)
        #expect(feed.position == nil)
        #expect(feed.take(LivePage(head: 600, oldest: 1), after: feed.ask).restart?.head == 600)
    }

    @Test func `the same event at the same place is the same ledger`() throws {
        var feed = try Self.begun()
        let id = UUID()
        #expect(feed.hear(try liveEvent(11, id: id)) == .next)
        let step = feed.take(LivePage(head: 12, oldest: 1, last: id, events: [try liveEvent(12)]), after: 11)
        #expect(step.events.map(\.position) == [12])
    }

    @Test func `a page is read as the ledger writes it`() throws {
        let event = """
            {"specversion": "1.0", "id": "7b1c2f7e-0000-4000-8000-000000000001", "source": "calls", "type": "call.accepted",
             "subject": "5", "time": "2026-01-01T00:00:00.000000Z", "datacontenttype": "application/json", "position": 8,
             "recipients": ["7b1c2f7e-0000-4000-8000-000000000002"], "data": {"id": 5}, "another": 1}
            """
        let text = #"{"head": 9, "oldest": 3, "pruned": false, "last": null, "events": [\#(event), {"position": 9}]}"#
        let page = try #require(LivePage(ByteBuffer(string: text), source: .calls, after: 7))
        #expect(page.head == 9)
        #expect(page.events.map { $0?.position } == [8, nil])
        // One that is not where it should be is none.
        #expect(try #require(LivePage(ByteBuffer(string: text), source: .calls, after: 6)).events[0] == nil)
        for bad in ["", "[]", "{}", #"{"head": -1, "oldest": 1, "pruned": false, "events": []}"#] {
            #expect(LivePage(ByteBuffer(string: bad), source: .calls, after: 7) == nil)
        }
    }
}

@Suite("The latest events are kept") struct LiveReplayTests {
    private let user = UUID()

    @Test func `whoever comes back is told what is theirs`() throws {
        var replay = LiveReplay(maximumEvents: 10)
        replay.restart(floor: 5, head: 5)
        for position in 6...12 {
            replay.append(try liveEvent(Int64(position), to: position % 2 == 0 ? [user] : [UUID()]))
        }
        var seen: Int64 = 6
        var told: [Int64] = []
        while let event = replay.next(after: seen, for: user) {
            seen = event.position
            told.append(seen)
        }
        #expect(told == [8, 10, 12])
        #expect(replay.position == 12)
        #expect(replay.floor == 5)
    }

    @Test func `what does not fit moves the floor`() throws {
        var replay = LiveReplay(maximumEvents: 3)
        replay.restart(floor: 0, head: 0)
        for position in 1...5 { replay.append(try liveEvent(Int64(position), to: [user])) }
        #expect(replay.floor == 2)
        #expect(replay.next(after: 0, for: user)?.position == 3)
        var small = LiveReplay(maximumEvents: 100, maximumBytes: 1000)
        small.restart(floor: 0, head: 0)
        for position in 1...50 { small.append(try liveEvent(Int64(position), to: [user])) }
        #expect(try #require(small.floor) > 40)
    }

    @Test func `what nobody may be told takes no room`() throws {
        var replay = LiveReplay(maximumEvents: 3)
        replay.restart(floor: 0, head: 0)
        for position in 1...9 { replay.append(try liveEvent(Int64(position))) }
        #expect(replay.floor == 0)
        #expect(replay.position == 9)
    }
}

@Suite("A cursor is the id of an event") struct LiveCursorTests {
    private static func text(_ cursor: LiveCursor) -> String {
        var text = ByteBuffer()
        cursor.write(into: &text)
        return String(buffer: text)
    }

    @Test func `it is read as it was written`() throws {
        for text in ["0.0.0", "12.4.77", "-.4.77", "-.-.-", "9223372036854775807.1.-"] {
            #expect(Self.text(try #require(LiveCursor(text))) == text)
        }
        #expect(LiveCursor("-.4.77")?[.accounts] == nil)
        #expect(LiveCursor("1.4.77")?[.heroes] == 4)
    }

    @Test(arguments: [
        "", "1", "1.2", "1.2.3.4", "a.2.3", "1.-2.3", "+1.2.3", "1..3", " 1.2.3", "9223372036854775808.1.1", "--.1.1",
        "1.2.3\n",
    ])
    func `what is no cursor is none`(text: String) {
        #expect(LiveCursor(text) == nil)
    }

    @Test func `the furthest of two is far for each service`() throws {
        let one = try #require(LiveCursor("1.9.-"))
        let other = try #require(LiveCursor("5.2.3"))
        #expect(Self.text(one.furthest(other)) == "5.9.3")
    }
}
