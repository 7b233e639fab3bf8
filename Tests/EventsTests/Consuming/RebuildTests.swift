import Postgres
import ServiceKit
import TestKit
import Testing

@testable import Events

@Suite struct RebuildTests {
    private func things(_ stage: Stage, _ schema: String) async throws -> [String] {
        try await stage.client.read("SELECT id || ' ' || version FROM \(unsafeRaw: schema).things ORDER BY id")
            .decode(String.self)
    }

    private func start(_ stage: Stage, _ source: Source, settings: ConsumerSettings = .quick) -> Reader {
        Reader.start(
            stage, [source.address], snapshot: Reader.things, handlers: ["thing.changed": Reader.copying],
            settings: settings)
    }

    @Test func `a consumer new to the system is filled from the snapshot, and goes on from there`() async throws {
        try await Stage.with { stage in
            var settings = RelaySettings()
            settings.keep = .zero
            settings.pruneInterval = .milliseconds(20)
            let source = try await Source.start(stage, settings: settings)
            for id in ["a", "b", "c d/ü?&", "e", "f", "a", "b"] { try await source.change(id) }
            try await eventually("pruned") { try await stage.value("SELECT count(*) FROM source.outbox") == 0 as Int }
            let reader = start(stage, source)
            try await eventually("copied") { try await things(stage, "reader") == things(stage, "source") }
            try await eventually("at the head") { try await stage.cursor() == 7 }
            #expect(reader.journal.numbers.isEmpty)
            for id in ["a", "g"] { try await source.change(id) }
            try await eventually("copied") { try await things(stage, "reader") == things(stage, "source") }
            try await reader.stop()
            try await source.processes.stop()
        }
    }

    @Test func `a consumer behind what is kept rebuilds, with what was written meanwhile`() async throws {
        try await Stage.with { stage in
            let source = try await Source.start(stage)
            for id in ["a", "b", "c"] { try await source.change(id) }
            let reader = start(stage, source)
            try await eventually("copied") { try await things(stage, "reader") == things(stage, "source") }
            try await eventually("at the head") { try await stage.cursor() == 3 }
            try await reader.stop()
            for id in ["a", "b", "d", "e", "f"] { try await source.change(id) }
            try await eventually("positions") { try await source.outbox.position(source.postgres) == 8 }
            try await stage.client.execute("DELETE FROM source.outbox WHERE position <= 6")
            // Two replicas find it out at the same time, while the source goes on.
            let writing = Task {
                for _ in 0..<50 { try await source.change("g") }
            }
            let readers = [start(stage, source), start(stage, source)]
            try await writing.value
            try await eventually("copied") { try await things(stage, "reader") == things(stage, "source") }
            try await eventually("at the head") { try await stage.cursor() == 58 }
            for reader in readers { try await reader.stop() }
            try await source.processes.stop()
        }
    }

    @Test func `a source whose database was restored is read anew`() async throws {
        try await Stage.with { stage in
            let source = try await Source.start(stage)
            for id in ["a", "b", "c", "c"] { try await source.change(id) }
            let reader = start(stage, source)
            try await eventually("at the head") { try await stage.cursor() == 4 }
            try await stage.client.execute(
                """
                WITH gone AS (DELETE FROM source.outbox WHERE position > 2), \
                things AS (INSERT INTO source.things VALUES ('z', 1)) UPDATE source.relay_head SET position = 2
                """)
            try await eventually("found out and read anew") { try await things(stage, "reader").contains("z 1") }
            try await eventually("at the head") { try await stage.cursor() == 2 }
            try await source.change("y")
            try await eventually("goes on") { try await things(stage, "reader").contains("y 1") }
            try await reader.stop()
            try await source.processes.stop()
        }
    }

    @Test func `the rebuild command fills the copies and skips nothing`() async throws {
        try await Stage.with { stage in
            let source = try await Source.start(stage)
            for id in ["a", "b", "c"] { try await source.change(id) }
            let command = EventConsumer(
                of: Stage.source, schema: "reader", postgres: stage.client, redis: stage.redisConfiguration,
                eventLoop: loops.next(), owner: Reader.owner([source.address]), snapshot: Reader.things,
                handlers: [:], logger: quiet)
            try await eventually("positions") { try await source.outbox.position(source.postgres) == 3 }
            try await command.rebuild()
            #expect(try await things(stage, "reader") == things(stage, "source"))
            #expect(try await stage.cursor() == 3)
            // A cursor that can go on stays: what comes after it still takes effect.
            try await stage.client.execute("DELETE FROM reader.things")
            for id in ["a", "d"] { try await source.change(id) }
            try await eventually("positions") { try await source.outbox.position(source.postgres) == 5 }
            try await command.rebuild()
            #expect(try await things(stage, "reader") == things(stage, "source"))
            #expect(try await stage.cursor() == 3)
            // One that can't is moved.
            try await stage.client.execute("DELETE FROM source.outbox WHERE position <= 4")
            try await command.rebuild()
            #expect(try await stage.cursor() == 5)
            try await source.processes.stop()
            await #expect(throws: OwnerFault.self) { try await command.rebuild() }
        }
    }

    @Test func `a snapshot that fails half-way is begun again`() async throws {
        struct Half: Error {}
        try await Stage.with { stage in
            let source = try await Source.start(stage)
            for id in ["a", "b", "c", "d", "e"] { try await source.change(id) }
            let failures = Counting()
            let snapshot = EventConsumer.Snapshot(path: "/internal/v1/things") { items, transaction in
                try await Reader.things.store(items, transaction)
                if items.contains(where: { $0["id"] == .string("d") }), failures.next() <= 3 { throw Half() }
            }
            let reader = Reader.start(
                stage, [source.address], snapshot: snapshot, handlers: ["thing.changed": Reader.copying])
            try await eventually("copied") { try await things(stage, "reader") == things(stage, "source") }
            try await eventually("at the head") { try await stage.cursor() == 5 }
            try await reader.stop()
            try await source.processes.stop()
        }
    }
}
