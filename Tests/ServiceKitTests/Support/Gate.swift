/// Lets a handler wait until the test says go.
final class Gate: Sendable {
    private let entered = AsyncStream<Void>.makeStream()
    private let opened = AsyncStream<Void>.makeStream()

    /// For the handler: says that it is here and waits.
    func pass() async {
        enter()
        var iterator = opened.stream.makeAsyncIterator()
        _ = await iterator.next()
    }

    /// For the handler: says that it is here.
    func enter() { entered.continuation.yield() }

    func waitUntilEntered() async {
        var iterator = entered.stream.makeAsyncIterator()
        _ = await iterator.next()
    }

    func open() { opened.continuation.yield() }
}
