import Synchronization

/// A value that tasks of a test share: a mutex that closures may capture.
final class Locked<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    func withLock<Result: Sendable>(_ body: (inout sending Value) -> Result) -> Result {
        value.withLock { body(&$0) }
    }
}
