import AsyncHTTPClient
import Foundation
import Identity
import NIOCore
import Postgres
import ServiceKit
import TestKit
import Testing

@testable import Events

@Suite struct LedgerTests {
    private func get(_ source: Source, _ query: String, as name: String = "reader") async throws -> (Int, ByteBuffer) {
        let client = InternalClient(
            name: name, addresses: [source.address], seal: Stage.seal, http: Reader.http)
        let answer = try await client.get("/internal/v1/events\(query)", deadline: .seconds(10))
        return (answer.status, answer.body)
    }

    private func page(_ source: Source, after: Int64, limit: Int? = nil) async throws -> EventPage {
        let (status, body) = try await get(source, "?after=\(after)" + (limit.map { "&limit=\($0)" } ?? ""))
        try #require(status == 200, "\(String(buffer: body))")
        return try EventPage(decoding: body, after: after)
    }

    @Test func `a ledger is read page by page, and says how far it goes`() async throws {
        try await Stage.with { stage in
            let source = try await Source.start(stage)
            try await eventually("the ledger answers") { (try? await page(source, after: 0)) != nil }
            let empty = try await page(source, after: 0)
            #expect(empty.head == 0 && empty.oldest == 1 && !empty.isPruned && empty.entries.isEmpty)
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let user = UUID()
            try await source.outbox.withTransaction(source.postgres) { transaction in
                try await source.outbox.append(
                    (1...7).map {
                        NewEvent(
                            "thing.changed", subject: "a/b", recipients: [user],
                            data: #"{"number": \#($0), "ü": "\"€"}"#,
                            traceparent: trace)
                    }, in: transaction)
            }
            try await eventually("positions") { try await page(source, after: 0).head == 7 }
            let first = try await page(source, after: 0, limit: 3)
            #expect(first.events.map(\.position) == [1, 2, 3])
            #expect(first.head == 7 && first.oldest == 1 && first.last == nil)
            let event = try #require(first.events.first)
            #expect(event.type == "thing.changed" && event.subject == "a/b" && event.source == "source")
            #expect(event.recipients == [user] && event.traceparent == trace && event.data["ü"] == .string("\"€"))
            #expect(abs(event.time.microseconds - Timestamp.now().microseconds) < 60_000_000)
            let second = try await page(source, after: 3)
            #expect(second.events.map(\.number) == [4, 5, 6, 7])
            #expect(second.last == first.events.last?.id)
            #expect(try await page(source, after: 7).entries.isEmpty)
            #expect(try await page(source, after: 900).head == 7)
            try await source.processes.stop()
        }
    }

    @Test func `a bad query is 400, another caller 403`() async throws {
        try await Stage.with { stage in
            let source = try await Source.start(stage)
            try await eventually("the ledger answers") { (try? await page(source, after: 0)) != nil }
            for query in [
                "?after=-1", "?after=x", "?after=1.5", "?after=9223372036854775808", "?limit=0", "?limit=1001",
                "?limit=",
                "?after=9223372036854775807",
            ] {
                #expect(try await get(source, query).0 == 400, "\(query)")
            }
            #expect(try await get(source, "").0 == 200)
            #expect(try await get(source, "", as: "stranger").0 == 403)
            try await source.processes.stop()
        }
    }

    @Test func `a page ends after so many bytes, and is never empty for that`() async throws {
        try await Stage.with { stage in
            let outbox = Outbox(service: Stage.source)
            let large = String(repeating: "x", count: 300_000)
            try await outbox.withTransaction(stage.client) { transaction in
                for number in 1...5 {
                    try await outbox.append(
                        NewEvent("thing.changed", subject: "1") {
                            $0.field("number", number)
                            $0.field("text", large)
                        }, in: transaction)
                }
            }
            let source = try await Source.start(stage)
            try await eventually("positions") {
                try await stage.value("SELECT position FROM source.relay_head") == 5 as Int64
            }
            let first = try await page(source, after: 0)
            #expect(first.events.map(\.number) == [1, 2])
            #expect(try await page(source, after: 2).events.map(\.number) == [3, 4])
            #expect(try await page(source, after: 4).events.map(\.number) == [5])
            try await source.processes.stop()
        }
    }

    @Test func `only whole objects get into the outbox, and nothing that a reader could not read`() async throws {
        try await Stage.with { stage in
            let outbox = Outbox(service: Stage.source)
            for data in ["[]", "1", "null", "{", "", #"{"a":"\ud800"}"#, #"{"a":"\u0000"}"#] {
                await #expect(throws: PostgresError.self, "\(data)") {
                    try await outbox.withTransaction(stage.client) {
                        try await outbox.append(NewEvent("thing.changed", subject: "1", data: data), in: $0)
                    }
                }
            }
            for (type, subject) in [("", "1"), ("thing.changed", "")] {
                await #expect(throws: PostgresError.self) {
                    try await outbox.withTransaction(stage.client) {
                        try await outbox.append(NewEvent(type, subject: subject, data: "{}"), in: $0)
                    }
                }
            }
            let written = try await stage.value("SELECT count(*) FROM source.outbox", as: Int.self)
            #expect(written == 0)
        }
    }

    @Test func `an event is written by the statement that made it so, or not at all`() async throws {
        try await Stage.with { stage in
            let outbox = Outbox(service: Stage.source)
            let insertion = outbox.insertion(
                "thing.changed", subject: "id", data: "json_build_object('number', version)", traceparent: "NULL",
                from: "changed")
            for _ in 1...2 {
                try await stage.client.execute(
                    """
                    WITH changed AS (INSERT INTO source.things VALUES ('x', 5) ON CONFLICT DO NOTHING RETURNING *), \
                    published AS (\(insertion)) SELECT 1
                    """)
            }
            #expect(try await stage.value("SELECT data::text FROM source.outbox") == #"{"number": 5}"#)
        }
    }
}
