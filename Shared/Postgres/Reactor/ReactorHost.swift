/// Where a reactor lives: the thread that gives it its turns.
protocol ReactorHost: Sendable {
    /// Makes the reactor on its thread and gives it turns until it has ended. To be called once.
    ///
    /// - Parameters:
    ///   - make: nil when the system has not what it needs.
    ///   - fail: called instead when there will be no turns.
    func start(_ make: @escaping @Sendable () -> Reactor?, orElse fail: @escaping @Sendable () -> Void)

    /// There is something in the mailbox. Called from any thread, at most once between two turns.
    func ring()
}
