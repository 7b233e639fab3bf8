import Logging
import NIOCore
import NIOPosix
import Redis
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// More loops than cores: one test's busy loop must not make another's commands late.
private let loops = MultiThreadedEventLoopGroup(numberOfThreads: 16)

var loop: any EventLoop { loops.next() }

/// Runs a service for as long as the body does, and sees that it ends when told.
func running<Result: Sendable>(_ service: some Service, _ body: () async throws -> Result) async throws -> Result {
    let task = Task { try await service.run() }
    do {
        let result = try await body()
        task.cancel()
        try await task.value
        return result
    } catch {
        task.cancel()
        _ = try? await task.value
        throw error
    }
}

/// Waits longer than any pause that a busy machine makes, and asks for nothing by itself: a test of pings says how
/// often they come.
func patient(_ url: String, name: String = "test") throws -> RedisConfiguration {
    var configuration = try RedisConfiguration(url: url, name: name)
    configuration.connectTimeout = .seconds(20)
    configuration.commandTimeout = .seconds(20)
    configuration.pingInterval = .hours(1)
    return configuration
}

/// Where nobody answers, the first commands wait for all of the connect timeout: a test of that sets a shorter one.
func withClient<Result: Sendable>(
    _ url: String, _ adjust: (inout RedisConfiguration) -> Void = { _ in },
    _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    var configuration = try patient(url)
    adjust(&configuration)
    let client = RedisClient(configuration, eventLoop: loop, logger: quiet)
    return try await running(client) { try await body(client) }
}

/// What a command threw.
func failure(_ body: () async throws -> RESPValue) async -> RedisError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? RedisError)?.code
    }
}

/// `#expect` with `try await` in it leaves a closure without a sign that it throws.
func expectEqual<Value: Equatable>(
    _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(value == expected, sourceLocation: sourceLocation)
}

func expectFailure(
    _ code: RedisError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> RESPValue
) async {
    let thrown = await failure(body)
    #expect(thrown == code, sourceLocation: sourceLocation)
}

/// What callbacks have reported, in order.
final class Journal<Entry: Sendable & Equatable>: Sendable {
    private let list = Mutex<[Entry]>([])

    func add(_ entry: Entry) { list.withLock { $0.append(entry) } }
    var entries: [Entry] { list.withLock { $0 } }
    func clear() { list.withLock { $0 = [] } }

    func has(_ entry: Entry, within: Duration = .seconds(10)) async throws {
        try await eventually(within: within, "\(entry) in the journal: \(entries)") { entries.contains(entry) }
    }
}
