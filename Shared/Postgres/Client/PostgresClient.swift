import Logging
import Metrics
public import NIOCore
public import ServiceLifecycle

/// A database, as one process uses it: reads share few pipelined connections, a lone write, a transaction or a session
/// has one to itself for its time. It connects again by itself when the server comes back.
///
/// Every call throws ``PostgresError``. When the calling task is cancelled, a waiting statement is withdrawn and a
/// running one is cancelled on the server; the call then throws code `cancelled`.
public final class PostgresClient: Service {
    let configuration: PostgresConfiguration
    let mailbox: Mailbox
    private let logger: Logger
    private let reactorExecutor: ReactorExecutor

    /// Runs tasks on the thread that has the connections, which spares them the way to it and back. For short tasks that
    /// do little but ask this client: while one computes, no answer is read. When the client has ended, tasks go on
    /// where all others run.
    public var executor: any TaskExecutor { reactorExecutor }

    /// Connects to nothing before ``run()``.
    ///
    /// - Parameter eventLoop: one whose thread is to have the connections, for a process that has little but this client and
    ///   what asks it on few cores: a request then wakes one thread and not two. It must outlive the client. nil, or a system
    ///   that can't tell an event loop of other sockets than its own, gives the connections a thread to themselves.
    public convenience init(
        _ configuration: PostgresConfiguration, on eventLoop: (any EventLoop)? = nil, logger: Logger
    ) {
        self.init(configuration, on: eventLoop, metrics: MetricsSystem.factory, logger: logger)
    }

    init(
        _ configuration: PostgresConfiguration, on eventLoop: (any EventLoop)? = nil, metrics: any MetricsFactory,
        logger: Logger
    ) {
        self.configuration = configuration
        self.logger = logger
        let eventLoopHost = eventLoop.flatMap(EventLoopHost.init)
        if eventLoop != nil, eventLoopHost == nil {
            logger.notice("an event loop can't be told of Postgres' sockets here: they have a thread of their own")
        }
        let host: any ReactorHost = eventLoopHost ?? ThreadHost()
        let mailbox = Mailbox(host)
        let executor = ReactorExecutor(mailbox)
        self.mailbox = mailbox
        self.reactorExecutor = executor
        host.start {
            Reactor(configuration, mailbox, executor, logger, metrics)
        } orElse: {
            logger.error("Postgres: the system has no thread or no epoll for it")
            Self.refuse(mailbox)
        }
    }

    deinit {
        mailbox.put(.abort(nil))
    }

    /// Holds the connections until graceful shutdown, then lets what is under way finish and closes; when its task is
    /// cancelled it closes at once.
    public func run() async throws {
        mailbox.put(.start)
        try? await gracefulShutdown()
        let isCancelled = Task.isCancelled
        await withUnsafeContinuation { continuation in
            if !mailbox.put(isCancelled ? .abort(continuation) : .drain(continuation)) { continuation.resume() }
        }
    }

    /// Runs a client for as long as `body` runs: for commands.
    public static func with<Result>(
        _ configuration: PostgresConfiguration, on eventLoop: (any EventLoop)? = nil, logger: Logger,
        _ body: (PostgresClient) async throws -> Result
    ) async throws -> Result {
        let client = PostgresClient(configuration, on: eventLoop, logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            defer { group.cancelAll() }
            return try await body(client)
        }
    }

    /// Runs one read outside any transaction. It shares a connection with others and may be sent again when that is
    /// lost, so the server refuses it (25006) if it writes, and it must not touch the session's state.
    public func read(_ sql: SQL) async throws -> PostgresRows {
        try await submit(Request(sql)) { .read($0) }
    }

    /// Runs one statement in a transaction of its own. It is never sent twice: when the connection is lost after that,
    /// the error is `outcomeUnknown`.
    @discardableResult
    public func execute(_ sql: SQL) async throws -> PostgresRows {
        try await submit(Request(sql)) { .write($0) }
    }

    /// Puts a request into the mailbox and waits for its answer.
    func submit(
        _ request: Request, isCancellable: Bool = true, _ message: (Request) -> Message
    ) async throws -> PostgresRows {
        if let fault = request.sql.fault { throw fault }
        guard isCancellable else {
            return try await withUnsafeThrowingContinuation { put(request, $0, message) }
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { put(request, $0, message) }
        } onCancel: {
            mailbox.put(.cancel(request))
        }
    }

    private func put(_ request: Request, _ continuation: Request.Continuation, _ message: (Request) -> Message) {
        request.continuation = continuation
        if !mailbox.put(message(request)) { request.fail(PostgresError(.closed, "the client has been shut down")) }
    }

    private static func refuse(_ mailbox: Mailbox) {
        for message in mailbox.shut() {
            switch message {
            case .read(let request), .write(let request), .statement(_, let request), .finish(_, _, let request):
                request.fail(PostgresError(.closed, "the client could not start"))
            case .copy(_, let chunk): chunk.fail(PostgresError(.closed, "the client could not start"))
            case .drain(let continuation): continuation.resume()
            case .abort(let continuation): continuation?.resume()
            case .job(let job): ReactorExecutor.handOver(job)
            case .start, .cancel, .connected, .cancelRequestFinished: break
            }
        }
    }
}

extension SQL {
    /// Why it can't be sent at all.
    var fault: PostgresError? {
        if let fault = values.fault { return fault }
        // libpq takes the text as a C string: a NUL would cut the statement short.
        return text.utf8.contains(0) ? PostgresError(.encoding, "a statement with a NUL in it") : nil
    }
}
