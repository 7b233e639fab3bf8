import Foundation
import TestKit

/// One replica of calls and several of them, each behind a gateway of its own, in turns on the same machine and the
/// same database. More replicas on no more cores can gain nothing; they may lose nothing either.
enum CallsReplicasBench {
    /// What is measured differs from turn to turn by about as much.
    private static let bar = 0.97

    static func run(replicas: Int, seconds: Int, rounds: Int) async throws {
        guard replicas > 1 else { throw BenchFailed("two replicas at least") }
        print("Call requests, \(CallsBench.connections) connections: 1 replica of calls and \(replicas)")
        for setting in Autogroup.settings {
            try await Autogroup.with(setting) {
                print("started with kernel.sched_autogroup_enabled = \(setting):")
                try await measure(replicas: replicas, seconds: seconds, rounds: rounds)
            }
        }
    }

    private static func measure(replicas: Int, seconds: Int, rounds: Int) async throws {
        let stage = try await CallsStage.start()
        let tokens = try await stage.signIn(try await stage.ids(of: "generate_series(1, \(CallsStage.people))"))
        let load = try CallsLoad(stage.folder, tokens: tokens)
        let database = try await stage.database()
        var calls: [(process: RunningProcess, port: Int)] = []
        for _ in 0..<replicas { calls.append(try await stage.calls(database)) }
        let one = try await stage.gateway(before: [calls[0].port])
        let all = try await stage.gateway(before: calls.map(\.port))
        var start = 0
        for kind in [CallsLoad.Kind.detail, .create] {
            func turn(_ port: Int, _ seconds: Int) async throws -> Wrk {
                start += CallsLoad.pairsOfATurn
                return try await load.run(
                    kind, port: port, start: start, connections: CallsBench.connections, seconds: seconds)
            }
            var duel = Duel(kind.rawValue, "1 replica", "\(replicas) replicas")
            _ = try await turn(one.port, 2)
            _ = try await turn(all.port, 2)
            for _ in 0..<rounds { duel.add(try await turn(one.port, seconds), try await turn(all.port, seconds)) }
            print(
                String(
                    format: "%@: 1 replica %.0f/s, %d replicas %.0f/s, median ratio %.2f (to reach: %.2f)%@",
                    kind.rawValue, duel.firstRate, replicas, duel.secondRate, duel.ratio, bar,
                    duel.ratio < bar ? "  MISSED" : ""))
        }
        try await CallsBench.check(stage, database)
        for process in [one.process, all.process] + calls.map(\.process) {
            try await process.terminate()
        }
        try await stage.stop()
    }
}
