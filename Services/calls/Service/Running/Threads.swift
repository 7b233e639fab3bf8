import NIOCore

/// How calls divides its work among threads.
///
/// On two cores one thread has all of it: an event loop with HTTP, Redis and the connections to Postgres, and the
/// handlers run there too. A request then wakes one thread on its way in and one when Postgres has answered, where it
/// would wake four. It is what replicas that share the cores pay most for, since each finds half as much to do whenever
/// it wakes. Reads and new requests go to Postgres in batches, and those are larger when all that is there to be asked
/// has been asked before.
///
/// With more cores nothing was measured, and one thread for all would be a limit. There all is as Swift and NIO have it,
/// and the client of Postgres has a thread of its own.
public enum Threads {
    static let areToBeFew = System.coreCount <= 2

    /// To be called before any event loop is used.
    public static func limit() {
        if areToBeFew { NIOSingletons.groupLoopCountSuggestion = 1 }
    }
}
