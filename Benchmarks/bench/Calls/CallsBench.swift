import Foundation
import TestKit

/// Creating a call request and showing one: gateway and calls, two processes, beside a Go service that does the same in
/// one. Both have the same database, the same tokens, as many connections to Postgres, and the same client, in turns.
/// Events must be published whoever has written them: the relay of calls publishes those of both.
enum CallsBench {
    static let connections = 64
    private static let bar = 1.0

    static func run(seconds: Int, rounds: Int) async throws {
        let stage = try await CallsStage.start()
        let tokens = try await stage.signIn(try await stage.ids(of: "generate_series(1, \(CallsStage.people))"))
        let load = try CallsLoad(stage.folder, tokens: tokens)
        let database = try await stage.database()
        let calls = try await stage.calls(database)
        let gateway = try await stage.gateway(before: [calls.port])
        let yardstick = try await stage.yardstick(database)
        print(
            "Call requests of \(CallsStage.people) people, \(connections) connections: "
                + "gin (one process) and gateway + calls")
        var start = 0
        for kind in [CallsLoad.Kind.detail, .create] where [nil, kind.rawValue].contains(Main.setting("BENCH_ONLY")) {
            var duel = Duel(kind.rawValue, "gin", "calls")
            func turn(_ port: Int, _ seconds: Int, _ processes: RunningProcess...) async throws -> (Wrk, [Double]) {
                start += CallsLoad.pairsOfATurn
                let before = processes.map { ProcessorTime.of($0.pid) }
                let result = try await load.run(
                    kind, port: port, start: start, connections: connections, seconds: seconds)
                let requests = result.requestsPerSecond * Double(seconds)
                let spent = zip(processes, before).map { (ProcessorTime.of($0.pid) - $1) * 1_000_000 / requests }
                return (result, spent)
            }
            // Not counted: connections and statements are made, tokens are looked up.
            _ = try await turn(yardstick.port, 2)
            _ = try await turn(gateway.port, 2)
            for _ in 0..<rounds {
                let (theirs, their) = try await turn(yardstick.port, seconds, yardstick.process)
                let (ours, our) = try await turn(gateway.port, seconds, gateway.process, calls.process)
                duel.add(theirs, ours)
                print(
                    String(
                        format: "    processor for each: gin %.0f µs, gateway %.0f µs, calls %.0f µs", their[0], our[0],
                        our[1]))
            }
            print(
                String(
                    format: "%@: gin %.0f/s, gateway + calls %.0f/s, median ratio %.2f (to reach: %.2f)%@",
                    kind.rawValue,
                    duel.firstRate, duel.secondRate, duel.ratio, bar, duel.ratio < bar ? "  MISSED" : ""))
        }
        try await check(stage, database)
        for process in [gateway.process, calls.process] { try await process.terminate() }
        try await yardstick.process.kill9()
        try await stage.stop()
    }

    /// What was measured was done: each new request has its event.
    static func check(_ stage: CallsStage, _ database: String) async throws {
        let counts = try await stage.postgres.psql(
            """
            SELECT count(*) - \(CallsStage.people), (SELECT count(*) FROM calls.outbox) FROM calls.requests
            """, database: database
        ).split(separator: "|")
        guard counts.count == 2, counts[0] == counts[1] else {
            throw BenchFailed("requests and their events: \(counts)")
        }
    }
}
