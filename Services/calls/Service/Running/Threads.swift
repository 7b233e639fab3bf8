import NIOCore

/// How calls divides its work among threads.
///
/// On two cores one event loop has all of HTTP, and reads run on the thread of the Postgres client: a request for its
/// details wakes two threads on its way and not four. It is what replicas that share the cores pay most for, since each
/// finds half as much to do whenever it wakes. Reads leave for Postgres in batches, which are larger when all that wants
/// to read has run before; writes gain nothing by that, for each has a connection to itself and waits there for the disk.
/// On that thread they would wait for other tasks too: a tenth fewer were created (`bench calls-replicas`).
///
/// With more cores nothing was measured, and one thread for all reads would be a limit. There all is as Swift and NIO
/// have it.
public enum Threads {
    static let areToBeFew = System.coreCount <= 2

    /// To be called before any event loop is used.
    public static func limit() {
        if areToBeFew { NIOSingletons.groupLoopCountSuggestion = 1 }
    }
}
