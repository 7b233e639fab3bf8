/// What a test waited for and didn't get.
public struct TimedOut: Error, CustomStringConvertible {
    public let description: String

    init(_ what: String, within: Duration, last: (any Error)?) {
        description = "not within \(within): \(what)" + (last.map { " (last: \($0))" } ?? "")
    }
}

/// Polls `value` until it is there. For what happens in another process or server, where no event can be awaited.
/// - Parameters:
///   - within: how long at most.
///   - what: what is waited for, as the failure says it.
///   - value: nil or an error means not yet.
/// - Throws: ``TimedOut``, or `CancellationError`.
@discardableResult
public func eventually<Value>(
    within: Duration = .seconds(10), _ what: String, isolation: isolated (any Actor)? = #isolation,
    value: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + within
    var pause = Duration.milliseconds(2)
    while true {
        var last: (any Error)?
        do {
            if let value = try await value() { return value }
        } catch let error as CancellationError {
            throw error
        } catch {
            last = error
        }
        guard ContinuousClock.now < deadline else { throw TimedOut(what, within: within, last: last) }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .milliseconds(50))
    }
}

/// Polls `condition` until it holds; an error in it means not yet.
/// - Throws: ``TimedOut``, or `CancellationError`.
public func eventually(
    within: Duration = .seconds(10), _ what: String, isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    try await eventually(within: within, what) { try await condition() ? () : nil }
}
