import CallsDomain
import Events
import Logging
import Metrics
import Postgres
import ServiceLifecycle

/// Writes the event of a reminder some minutes before an agreed call, once, beside any number of other workers.
///
/// A call that is agreed later than that is reminded of at once, as long as it has not begun: both know the time already,
/// and the message says when it is. Nobody is reminded of a call that has begun.
struct ReminderWorker: Service {
    let postgres: PostgresClient
    let outbox: Outbox
    let bell: ReminderBell
    /// Minutes before the call.
    let lead: Int64
    let logger: Logger
    let now: @Sendable () -> Instant
    /// The longest sleep: what another replica agreed to is seen after this at the latest.
    var longestSleep: Duration = .seconds(5)
    /// Reminders written by one statement.
    var batch = 100

    private let written = Counter(label: "reminders_total")

    init(
        postgres: PostgresClient, outbox: Outbox, bell: ReminderBell, lead: Int64, logger: Logger,
        now: @escaping @Sendable () -> Instant
    ) {
        self.postgres = postgres
        self.outbox = outbox
        self.bell = bell
        self.lead = lead
        self.logger = logger
        self.now = now
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                do {
                    let sleep = try await remindAndLookAhead()
                    isFailing = false
                    await wait(sleep)
                } catch {
                    if Task.isCancelled { return }
                    if !isFailing { logger.warning("reminders wait", metadata: ["error": "\(error)"]) }
                    isFailing = true
                    await wait(longestSleep)
                }
            }
        }
    }

    /// - Returns: how long there is nothing to do.
    private func remindAndLookAhead() async throws -> Duration {
        while !Task.isCancelled {
            guard let due = try await nextDue() else { return longestSleep }
            let now = now()
            if due > now { return min(longestSleep, .microseconds(due.microseconds - now.microseconds)) }
            // Another worker has what is due; if it fails, this one has it then.
            if try await remind() == 0 { return min(longestSleep, .milliseconds(200)) }
        }
        return .zero
    }

    /// Until the bell rings or the time is over.
    private func wait(_ duration: Duration) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                // The next reminder is due then: a time that comes rings no bell by itself.
                do { try await Task.sleep(for: duration) } catch { return }
                bell.ring()
            }
            for await _ in bell.rings { break }
            group.cancelAll()
        }
    }

    /// Writes what is due: in one statement, so that a reminder is noted if and only if its event is written, and of two
    /// workers each takes what the other has not.
    ///
    /// - Returns: how many.
    func remind() async throws -> Int {
        defer { outbox.committed() }
        let now = now()
        let event = outbox.insertion(
            "call.reminder_due", subject: "id::text", recipients: "ARRAY[user_id, hero_user_id]",
            data:
                "\(CallEvent.dataOfRow)::jsonb || jsonb_build_object('agreed_time', \(CallEvent.instant("agreed_time")))",
            from: "reminded")
        let count =
            try await postgres.execute(
                """
                WITH due AS (
                    SELECT id FROM calls.requests
                    WHERE agreed_time > \(now) AND agreed_time <= \(now.advanced(minutes: lead)) AND reminded IS NULL
                        AND status = 'a'
                    ORDER BY agreed_time LIMIT \(batch) FOR NO KEY UPDATE SKIP LOCKED
                ), reminded AS (
                    UPDATE calls.requests r SET reminded = \(now) FROM due WHERE r.id = due.id
                    RETURNING r.id, r.user_id, r.hero_id, r.hero_user_id, r.status, r.estimated_length, r.agreed_time
                ), published AS (\(event))
                SELECT count(*) FROM reminded
                """
            ).first?.decode(Int.self) ?? 0
        if count > 0 { written.increment(by: count) }
        return count
    }

    /// When the next reminder is due; that can be past. Nil when nobody has agreed on a call that is still to come.
    func nextDue() async throws -> Instant? {
        let rows = try await postgres.read(
            "SELECT min(agreed_time) FROM calls.requests WHERE agreed_time > \(now()) AND reminded IS NULL")
        return try rows.first?.decode(Instant?.self)?.advanced(minutes: -lead)
    }
}
