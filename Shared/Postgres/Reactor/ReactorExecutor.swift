/// Runs tasks on the reactor's thread (SE-0417), between what Postgres says and what it is told.
///
/// A statement then costs no wake-up of that thread, nor its answer one of the task's, and the reads of all tasks that
/// ran in one turn leave as one batch. For short tasks that never block: while one runs, no connection is served.
final class ReactorExecutor: TaskExecutor {
    private let mailbox: Mailbox

    init(_ mailbox: Mailbox) {
        self.mailbox = mailbox
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !mailbox.put(.job(job)) { Self.handOver(job) }
    }

    /// Where tasks go on when the reactor has ended, or never began.
    static func handOver(_ job: UnownedJob) {
        globalConcurrentExecutor.enqueue(ExecutorJob(job))
    }
}
