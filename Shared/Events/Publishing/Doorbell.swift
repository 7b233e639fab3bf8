import Synchronization

/// Tells the relay that there is something to publish: this process's own when it leads, else the one that does.
final class Doorbell: Sendable {
    /// Wakes the relay of this process.
    let here = Signal()
    /// Wakes the task that rings at the leader's, by way of Postgres.
    let elsewhere = Signal()
    private let leads = Atomic(false)
    private let count = Atomic(0)

    var isLeading: Bool {
        get { leads.load(ordering: .acquiring) }
        set { leads.store(newValue, ordering: .releasing) }
    }

    func ring() {
        if isLeading { return here.ring() }
        count.add(1, ordering: .relaxed)
        elsewhere.ring()
    }

    /// How often it was rung for elsewhere since the last call.
    func takeCount() -> Int { count.exchange(0, ordering: .relaxed) }
}
