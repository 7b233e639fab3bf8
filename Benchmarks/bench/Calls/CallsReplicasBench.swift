import Foundation
import TestKit

/// One replica of calls and several of them, each behind a gateway of its own, in turns on the same machine and the
/// same database. More replicas on no more cores can gain nothing; they may lose nothing either.
///
/// Turns are short and many, and take their order in rotation, since the machine's own moods last for seconds. A third
/// gateway stands before the same single replica as the first: by as much as those two differ, the measure errs.
///
/// How Linux shares the cores among the processes matters more than anything else here, so all that it does is measured:
/// by session (autogroup), by thread, and by container.
enum CallsReplicasBench {
    private static let bar = 0.97

    static func run(replicas: Int, seconds: Int, rounds: Int) async throws {
        guard replicas > 1 else { throw BenchFailed("two replicas at least") }
        // Three contenders, and a round that is not counted.
        guard 3 * (rounds + 1) <= CallsStage.people * CallsStage.heroes / CallsLoad.pairsOfATurn else {
            throw BenchFailed("so many rounds need more pairs than there are: nobody can ask the same hero twice")
        }
        print("Call requests, \(CallsBench.connections) connections: 1 replica of calls and \(replicas)")
        for setting in Autogroup.settings {
            try await Autogroup.with(setting) {
                print("started with kernel.sched_autogroup_enabled = \(setting):")
                try await measure(replicas: replicas, seconds: seconds, rounds: rounds, groups: nil)
            }
        }
        guard let groups = ControlGroups() else {
            return print("not measured: each server in a control group of its own, which can't be made here")
        }
        for shares in [ControlGroups.usualShares, try composeShares()] {
            print("each server in a control group, as containers are; cpu.shares of a replica \(shares), else 1024")
            try await measure(
                replicas: replicas, seconds: seconds, rounds: rounds, groups: groups, sharesOfCalls: shares)
        }
    }

    /// What docker-compose.yml says of calls, the only one of which it says it.
    private static func composeShares() throws -> Int {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = try String(contentsOf: root.appendingPathComponent("docker-compose.yml"), encoding: .utf8)
        guard let shares = file.firstMatch(of: /\n    cpu_shares: ([0-9]+)\n/).flatMap({ Int($0.1) }) else {
            throw BenchFailed("docker-compose.yml says no cpu_shares")
        }
        return shares
    }

    private static func measure(
        replicas: Int, seconds: Int, rounds: Int, groups: ControlGroups?,
        sharesOfCalls: Int = ControlGroups.usualShares
    ) async throws {
        let stage = try await CallsStage.start { try groups?.enter($0) }
        let tokens = try await stage.signIn(try await stage.ids(of: "generate_series(1, \(CallsStage.people))"))
        let load = try CallsLoad(stage.folder, tokens: tokens)
        let database = try await stage.database()
        var calls: [(process: RunningProcess, port: Int)] = []
        for number in 1...replicas {
            try groups?.enter("calls-\(number)", shares: sharesOfCalls)
            calls.append(try await stage.calls(database))
        }
        var contenders: [Contender] = []
        for (name, ports) in [
            ("1 replica", [calls[0].port]), ("the same again", [calls[0].port]),
            ("\(replicas) replicas", calls.map(\.port)),
        ] {
            try groups?.enter("gateway-\(contenders.count + 1)")
            contenders.append(Contender(name, try await stage.gateway(before: ports)))
        }
        try groups?.enter("client")
        var start = 0
        for kind in [CallsLoad.Kind.detail, .create] where [nil, kind.rawValue].contains(Main.setting("BENCH_ONLY")) {
            for index in contenders.indices { contenders[index].forget() }
            // The first round is not counted: connections and statements are made, tokens are looked up.
            for round in 0...rounds {
                for place in contenders.indices {
                    let index = (place + round) % contenders.count
                    let servers =
                        [contenders[index].gateway.process.pid] + calls.map(\.process.pid) + [stage.postgres.pid]
                    let before = servers.map(ProcessorTime.of)
                    start += CallsLoad.pairsOfATurn
                    let turn = try await load.run(
                        kind, port: contenders[index].gateway.port, start: start, connections: CallsBench.connections,
                        seconds: seconds)
                    let spent = zip(servers, before).map { ProcessorTime.of($0) - $1 }
                    if round > 0 { contenders[index].add(turn, seconds: seconds, spent: spent) }
                }
            }
            report(kind, contenders)
        }
        try await CallsBench.check(stage, database)
        for process in contenders.map(\.gateway.process) + calls.map(\.process) { try await process.terminate() }
        try await stage.stop()
        try groups?.leave()
    }

    private static func report(_ kind: CallsLoad.Kind, _ contenders: [Contender]) {
        print("  \(kind.rawValue), medians of \(contenders[0].rates.count) rounds:")
        for contender in contenders {
            print(
                String(
                    format:
                        "    %@: %.0f/s, ratio %.3f; processor for each: gateway %.0f µs, calls %.0f µs, Postgres %.0f µs",
                    contender.name, contender.rates.median, contender.ratio(to: contenders[0]), contender.each(0),
                    (1..<contender.spent.count - 1).map(contender.each).reduce(0, +),
                    contender.each(contender.spent.count - 1)))
        }
        let ratio = contenders[2].ratio(to: contenders[0])
        let same = contenders[1].ratio(to: contenders[0])
        print(
            String(
                format: "  %@: %@ to 1: %.3f (to reach: %.2f), 1 to itself: %.3f%@", kind.rawValue,
                contenders[2].name, ratio, bar, same, ratio < bar ? "  MISSED" : ""))
    }
}

/// A gateway before replicas, and what came of its turns.
private struct Contender {
    let name: String
    let gateway: (process: RunningProcess, port: Int)
    /// Requests a second, for each turn.
    private(set) var rates: [Double] = []
    /// Seconds of processor time of the gateway, the replicas and Postgres, over all turns.
    private(set) var spent: [Double] = []
    private var requests = 0.0

    init(_ name: String, _ gateway: (process: RunningProcess, port: Int)) {
        self.name = name
        self.gateway = gateway
    }

    mutating func forget() {
        (rates, spent, requests) = ([], [], 0)
    }

    mutating func add(_ turn: Wrk, seconds: Int, spent: [Double]) {
        rates.append(turn.requestsPerSecond)
        requests += turn.requestsPerSecond * Double(seconds)
        self.spent = self.spent.isEmpty ? spent : zip(self.spent, spent).map(+)
    }

    /// Microseconds for each request.
    func each(_ index: Int) -> Double { spent[index] * 1_000_000 / requests }

    /// The median of the rounds' ratios.
    func ratio(to other: Contender) -> Double { zip(rates, other.rates).map(/).median }
}
