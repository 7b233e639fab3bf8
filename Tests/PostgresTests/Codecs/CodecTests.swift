import Foundation
import Testing

@testable import Postgres

@Suite struct CodecTests {
    /// Sends a value and reads it back, cast to `type` in between.
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: [Value], _ type: String, _ client: PostgresClient
    ) async throws {
        for value in values {
            let back = try await client.value("SELECT \(value)::\(unsafeRaw: type)", as: Value.self)
            #expect(back == value)
        }
        #expect(try await client.value("SELECT \(nil as Value?)::\(unsafeRaw: type)", as: Value?.self) == nil)
    }

    @Test func `Every type comes back as it went`() async throws {
        try await withClient { client in
            try await roundTrip([true, false], "boolean", client)
            try await roundTrip([0, -1, .max, .min], "bigint", client)
            try await roundTrip([0 as Int64, .max, .min], "bigint", client)
            try await roundTrip([0 as Int32, .max, .min], "integer", client)
            try await roundTrip([0 as Int16, .max, .min], "smallint", client)
            try await roundTrip([0.0, -1.5, .greatestFiniteMagnitude, .infinity, .leastNonzeroMagnitude], "float8", client)
            #expect(try await client.value("SELECT \(Double.nan)", as: Double.self).isNaN)
            try await roundTrip(["", "a", "naïve 👩‍🚀 \u{301}", String(repeating: "x", count: 100_000)], "text", client)
            try await roundTrip([UUID(), UUID()], "uuid", client)
            try await roundTrip([[], [0], [0, 255, 0, 1], Array(repeating: 7, count: 70_000)] as [[UInt8]], "bytea", client)
        }
    }

    @Test func `Arrays come back as they went`() async throws {
        try await withClient { client in
            try await roundTrip([[], [1], [3, -1, .max]], "bigint[]", client)
            try await roundTrip([[], ["a", "", "{,\"\\}", "NULL"]], "text[]", client)
            try await roundTrip([[], [UUID(), UUID()]], "uuid[]", client)
            try await roundTrip([[true, false]], "boolean[]", client)
            try await roundTrip([[1.5, -0.25]], "float8[]", client)
            try await roundTrip([[1, 2] as [Int32]], "integer[]", client)
            try await roundTrip([[1, 2] as [Int16]], "smallint[]", client)
            try await roundTrip([[Timestamp(microseconds: 1), Timestamp(microseconds: -1)]], "timestamptz[]", client)
            let found = try await client.value("SELECT 5 = ANY(\([4, 5]))", as: Bool.self)
            #expect(found)
        }
    }

    @Test func `A time keeps its microsecond, before and after the epochs`() async throws {
        try await withClient { client in
            let times: [Int64] = [0, 1, -1, 1_479_311_756_179_930, 946_684_799_999_999, -62_135_596_800_000_000]
            try await roundTrip(times.map { Timestamp(microseconds: $0) }, "timestamptz", client)
            let text = try await client.value(
                "SELECT \(Timestamp(microseconds: 1_479_311_756_179_930))::text", as: String.self)
            #expect(text == "2016-11-16 15:55:56.17993+00")
            #expect(await code { _ = try await client.value("SELECT 'infinity'::timestamptz", as: Timestamp.self) } == .decoding)
        }
    }

    @Test func `Text takes the type the statement gives it`() async throws {
        try await withClient { client in
            try await client.execute("CREATE TYPE mood AS ENUM ('calm', 'cross')")
            try await client.execute("CREATE TABLE things (mood mood, doc jsonb, day date, name varchar(9))")
            try await client.execute(
                "INSERT INTO things VALUES (\("calm"), \(#"{"b": [1, "x"]}"#), \("2024-02-29"), \("n"))")
            let (mood, doc, day, name) = try await client.read("SELECT mood, doc, day::text, name FROM things")[0]
                .decode((String, String, String, String).self)
            #expect(mood == "calm" && doc == #"{"b": [1, "x"]}"# && day == "2024-02-29" && name == "n")
            let json = try await client.value("SELECT \(JSONB(#"{"a":1}"#))", as: JSONB.self)
            #expect(json == JSONB(#"{"a": 1}"#))
        }
    }

    @Test func `Hostile text is data`() async throws {
        try await withClient { client in
            let hostile = [
                "'; DROP TABLE t; --", "\\'; --", "$1", "%s%n", "\"", "{}", "\u{1}\u{7f}", "$$ x $$", "\\000", "E'\\x00'",
            ]
            try await roundTrip(hostile, "text", client)
            #expect(await code { _ = try await client.execute("SELECT \("pass\0word")") } == .encoding)
            #expect(await code { _ = try await client.read("SELECT \(["a\0"])") } == .encoding)
        }
    }

    @Test func `What a column does not hold is an error, not a guess`() async throws {
        try await withClient { client in
            let row = try await client.read("SELECT 70000::int8, NULL::text, 1.5::numeric, 'x'::text")[0]
            #expect(throws: PostgresError.self) { try row.decode(column: 0, as: Int16.self) }
            #expect(throws: PostgresError.self) { try row.decode(column: 0, as: String.self) }
            #expect(throws: PostgresError.self) { try row.decode(column: 1, as: String.self) }
            #expect(throws: PostgresError.self) { try row.decode(column: 2, as: String.self) }
            #expect(throws: PostgresError.self) { try row.decode(column: 3, as: UUID.self) }
            #expect(throws: PostgresError.self) { try row.decode(column: 4, as: String.self) }
            #expect(throws: PostgresError.self) { try row.decode((Int, String?).self) }
            #expect(try row.decode(column: 0, as: Int32.self) == 70_000)
        }
    }

    @Test func `Columns are read as int2, int4 and int8 alike`() async throws {
        try await withClient { client in
            let (a, b, c) = try await client.read("SELECT 1::int2, 2::int4, 3::int8")[0].decode((Int, Int, Int).self)
            #expect((a, b, c) == (1, 2, 3))
        }
    }

    @Test func `Sums of times and spans do not trap`() {
        #expect((Timestamp(microseconds: .max) + .seconds(1)).microseconds == .max)
        #expect((Timestamp(microseconds: 0) - .seconds(1)).microseconds == -1_000_000)
        #expect(Timestamp(microseconds: 5).since(Timestamp(microseconds: 2)) == .microseconds(3))
    }
}
