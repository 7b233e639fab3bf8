import Foundation

/// `bench <part>` measures one part of the system beside the yardstick it must reach.
@main
enum Main {
    private static let parts: [(name: String, run: @Sendable () async throws -> Void)] = [
        (
            "postgres",
            {
                try await PostgresBench.run(
                    conninfo: setting("BENCH_DATABASE_URL"), seconds: Int(setting("BENCH_SECONDS") ?? "") ?? 3,
                    rounds: Int(setting("BENCH_ROUNDS") ?? "") ?? 5, only: setting("BENCH_ONLY"))
            }
        ),
        (
            "redis",
            {
                try await RedisBench.run(
                    url: setting("BENCH_REDIS_URL"), seconds: Double(setting("BENCH_SECONDS") ?? "") ?? 3,
                    rounds: Int(setting("BENCH_ROUNDS") ?? "") ?? 5)
            }
        ),
        (
            "accounts",
            {
                try await AccountsBench.run(
                    seconds: Double(setting("BENCH_SECONDS") ?? "") ?? 5,
                    rounds: Int(setting("BENCH_ROUNDS") ?? "") ?? 5)
            }
        ),
        (
            "gateway",
            {
                try await GatewayBench.run(
                    seconds: Int(setting("BENCH_SECONDS") ?? "") ?? 5,
                    rounds: Int(setting("BENCH_ROUNDS") ?? "") ?? 5)
            }
        ),
        ("listeners", { try await ListenersBench.run(count: Int(setting("BENCH_LISTENERS") ?? "") ?? 5000) }),
        ("events", { try await EventsBench.run(seconds: Int(setting("BENCH_SECONDS") ?? "") ?? 10) }),
    ]

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
