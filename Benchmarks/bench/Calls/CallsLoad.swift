import Foundation
import TestKit

/// What is asked of calls, by `wrk` with a script: the same for whoever answers.
struct CallsLoad: Sendable {
    enum Kind: String, Sendable {
        /// Asks a hero for a call. Each request is of another pair.
        case create
        /// One's own request, with a suggestion on it.
        case detail
        /// One's own list.
        case list
    }

    private let script: String
    private let tokens: URL

    /// - Parameter tokens: a file with the tokens of all who ask.
    init(_ folder: URL, tokens: URL) throws {
        let file = folder.appendingPathComponent("calls.lua")
        try Data(Self.text.utf8).write(to: file)
        script = file.path
        self.tokens = tokens
    }

    /// - Parameter start: where it begins among the pairs; each turn that creates needs a start of its own.
    func run(_ kind: Kind, port: Int, start: Int, connections: Int, seconds: Int) async throws -> Wrk {
        let result = try await Wrk.run(
            port: port, script: script, [kind.rawValue, tokens.path, "\(start)"], connections: connections,
            seconds: seconds)
        guard result.failures == 0 else { throw BenchFailed("\(result.failures) answers to \(kind) failed") }
        return result
    }

    /// Pairs that a turn may use up.
    static let pairsOfATurn = 1_000_000

    private static let text = """
        local tokens, kind, number = {}, "", 0
        local fields = "\\r\\nHost: 127.0.0.1\\r\\nAuthorization: Token "
        local path = "/api/v1/call-requests"
        local words = string.rep("How do I begin? ", 10)

        function init(arguments)
            kind = arguments[1]
            for line in io.lines(arguments[2]) do tokens[#tokens + 1] = line end
            number = tonumber(arguments[3])
        end

        function request()
            local person = number % #tokens + 1
            local round = math.floor(number / #tokens)
            number = number + 1
            if kind == "detail" then
                return "GET " .. path .. "/" .. person .. " HTTP/1.1" .. fields .. tokens[person] .. "\\r\\n\\r\\n"
            elseif kind == "list" then
                return "GET " .. path .. " HTTP/1.1" .. fields .. tokens[person] .. "\\r\\n\\r\\n"
            end
            -- Another hero for each person of a round, so that no hero is everybody's.
            local hero = (person + round) % \(CallsStage.heroes) + 1
            local body = '{"hero_id":' .. hero .. ',"message":"' .. words .. '","estimated_length":30}'
            return "POST " .. path .. " HTTP/1.1" .. fields .. tokens[person]
                .. "\\r\\nContent-Type: application/json\\r\\nContent-Length: " .. #body .. "\\r\\n\\r\\n" .. body
        end
        """
}

/// Turns of two who are measured beside each other, and what comes of them.
struct Duel: Sendable {
    let what: String
    let names: (String, String)
    private(set) var turns: [(first: Wrk, second: Wrk)] = []

    init(_ what: String, _ first: String, _ second: String) {
        self.what = what
        self.names = (first, second)
    }

    mutating func add(_ first: Wrk, _ second: Wrk) {
        turns.append((first, second))
        print(
            String(
                format: "  %@, round %d: %@ %.0f/s (p99 %@), %@ %.0f/s (p99 %@), ratio %.2f", what, turns.count,
                names.0,
                first.requestsPerSecond, first.p99, names.1, second.requestsPerSecond, second.p99,
                second.requestsPerSecond / first.requestsPerSecond))
    }

    var firstRate: Double { turns.map { $0.first.requestsPerSecond }.median }
    var secondRate: Double { turns.map { $0.second.requestsPerSecond }.median }
    /// Of the second to the first, in each round.
    var ratio: Double { turns.map { $0.second.requestsPerSecond / $0.first.requestsPerSecond }.median }
}
