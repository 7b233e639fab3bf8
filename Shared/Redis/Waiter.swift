import NIOCore

/// Who wants to know how a command went. Each is told exactly once.
enum Waiter: Sendable {
    /// Unsafe only in that nothing checks "exactly once" at run time: a command leaves `CommandQueue` once, and `cancel`
    /// takes its waiter out.
    case task(UnsafeContinuation<RESPValue, any Error>)
    case promise(EventLoopPromise<RESPValue>)
    case none

    func succeed(_ reply: RESPValue) {
        if case .error(let error) = reply { return fail(RedisError(error)) }
        switch self {
        case .task(let continuation): continuation.resume(returning: reply)
        case .promise(let promise): promise.succeed(reply)
        case .none: break
        }
    }

    func fail(_ error: any Error) {
        switch self {
        case .task(let continuation): continuation.resume(throwing: error)
        case .promise(let promise): promise.fail(error)
        case .none: break
        }
    }
}

/// A command, or how to make it once it is known which server it goes to.
enum Request: Sendable {
    case command(RedisCommand)
    case keyed(@Sendable (_ runID: String) -> RedisCommand)

    func command(runID: String) -> RedisCommand {
        switch self {
        case .command(let command): command
        case .keyed(let make): make(runID)
        }
    }
}

/// A request and who asked.
struct Pending: Sendable {
    var request: Request
    var waiter: Waiter
}
