import Foundation

/// `bench <part>` measures one part of the system beside the yardstick it must reach.
@main
enum Main {
    private static let parts: [(name: String, run: @Sendable () async throws -> Void)] = [
        (
            "postgres",
            {
                try await PostgresBench.run(
                    conninfo: setting("BENCH_DATABASE_URL"), seconds: seconds(3), rounds: rounds,
                    only: setting("BENCH_ONLY"))
            }
        ),
        (
            "redis",
            {
                try await RedisBench.run(
                    url: setting("BENCH_REDIS_URL"), seconds: Double(seconds(3)), rounds: rounds)
            }
        ),
        ("accounts", { try await AccountsBench.run(seconds: Double(seconds(5)), rounds: rounds) }),
        ("gateway", { try await GatewayBench.run(seconds: seconds(5), rounds: rounds) }),
        ("heroes", { try await HeroesBench.run(seconds: seconds(3), rounds: rounds) }),
        ("heroes-page", { try await HeroesPageBench.run(seconds: seconds(5), rounds: rounds) }),
        ("heroes-growth", { try await HeroesGrowthBench.run(seconds: seconds(3), rounds: rounds) }),
        ("heroes-million", { try await HeroesMillionBench.run() }),
        ("calls", { try await CallsBench.run(seconds: seconds(5), rounds: rounds) }),
        (
            "calls-list",
            { try await CallsListBench.run(requests: argument ?? 10_000_000, seconds: seconds(4), rounds: rounds) }
        ),
        (
            "calls-replicas",
            { try await CallsReplicasBench.run(replicas: argument ?? 2, seconds: seconds(1), rounds: rounds(20)) }
        ),
        ("events", { try await EventsBench.run(seconds: seconds(10)) }),
        ("listeners", { try await ListenersBench.run(count: argument ?? 5000) }),
    ]

    private static func seconds(_ standard: Int) -> Int { Int(setting("BENCH_SECONDS") ?? "") ?? standard }
    private static var rounds: Int { rounds(5) }
    private static func rounds(_ standard: Int) -> Int { Int(setting("BENCH_ROUNDS") ?? "") ?? standard }

    static func main() async throws {
        if CommandLine.arguments.dropFirst().first == "events-worker" {
            return try await EventsWorker.run(CommandLine.arguments.last ?? "")
        }
        guard let name = CommandLine.arguments.dropFirst().first,
            let part = parts.first(where: { $0.name == name })
        else {
            print("usage: bench \(parts.map(\.name).joined(separator: "|"))")
            exit(2)
        }
        print(machine())
        try await part.run()
    }

    /// A number behind the name of a part.
    private static var argument: Int? {
        CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) }
    }

    static func setting(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name]
    }

    /// Ratios hold elsewhere, absolute figures only on this machine.
    private static func machine() -> String {
        let cpu = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = cpu.split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last ?? "?"
        return "Machine: \(ProcessInfo.processInfo.activeProcessorCount) cores,\(model)"
    }
}
