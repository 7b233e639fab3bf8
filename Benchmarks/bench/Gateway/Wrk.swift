import Foundation
import TestKit

/// What `wrk` measured in one run.
struct Wrk {
    let requestsPerSecond: Double
    let median: String
    let p99: String
    /// Answers that were none, or not 2xx or 3xx.
    let failures: Int

    static func run(
        port: Int, path: String, token: String? = nil, connections: Int, seconds: Int
    ) async throws -> Wrk {
        try await run(
            (token.map { ["-H", "Authorization: Token \($0)"] } ?? []) + ["http://127.0.0.1:\(port)\(path)"],
            connections: connections,
            seconds: seconds)
    }

    /// - Parameters:
    ///   - script: a file of Lua that makes each request (wrk, SCRIPTING).
    ///   - arguments: what its `init` gets.
    static func run(
        port: Int, script: String, _ arguments: [String], connections: Int, seconds: Int
    ) async throws -> Wrk {
        try await run(
            ["-s", script, "http://127.0.0.1:\(port)", "--"] + arguments, connections: connections, seconds: seconds)
    }

    private static func run(_ what: [String], connections: Int, seconds: Int) async throws -> Wrk {
        let options = ["-t", "1", "-c", "\(connections)", "-d", "\(seconds)s", "--latency", "--timeout", "5s"]
        let output = try await TestKit.run(["wrk"] + options + what)
        guard let rate = number(after: "Requests/sec:", output) else { throw BenchFailed("wrk printed: \(output)") }
        let failures =
            (number(after: "Non-2xx or 3xx responses:", output) ?? 0)
            + (socketErrors(output).map(Double.init).reduce(0, +))
        return Wrk(
            requestsPerSecond: rate, median: word(after: "  50%", output) ?? "?",
            p99: word(after: "  99%", output) ?? "?", failures: Int(failures))
    }

    private static func word(after label: String, _ text: String) -> String? {
        text.range(of: label).flatMap { text[$0.upperBound...].split(whereSeparator: \.isWhitespace).first }
            .map(String.init)
    }

    private static func number(after label: String, _ text: String) -> Double? {
        word(after: label, text).flatMap { Double($0) }
    }

    /// `Socket errors: connect 0, read 0, write 0, timeout 0`.
    private static func socketErrors(_ text: String) -> [Int] {
        guard let line = text.split(separator: "\n").first(where: { $0.contains("Socket errors:") }) else { return [] }
        return line.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }
    }
}

/// Processor time of processes, from proc(5).
enum ProcessorTime {
    /// User and system time in seconds that a process and its children have taken.
    static func of(_ pid: Int32) -> Double {
        let ticks = ([pid] + children(of: pid)).compactMap { stat($0) }.map { $0.ticks }.reduce(0, +)
        return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func children(of parent: Int32) -> [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap(Int32.init).filter { stat($0)?.parent == parent }
    }

    private static func stat(_ pid: Int32) -> (parent: Int32, ticks: Int)? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return nil }
        // Behind the name: state, parent, …; utime and stime are fields 14 and 15 of the line.
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let parent = Int32(fields[1]), let user = Int(fields[11]), let system = Int(fields[12])
        else { return nil }
        return (parent, user + system)
    }
}
