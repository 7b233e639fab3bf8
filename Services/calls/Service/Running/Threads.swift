import NIOCore

/// How calls divides its work among threads.
///
/// On two cores one event loop has all of HTTP, and handlers run on the thread of the Postgres client: a request wakes
/// two threads on its way and not four. It is what replicas that share the cores pay most for, since each finds half as
/// much to do whenever it wakes. Reads and new requests go to Postgres in batches, and those are larger when all that is
/// there to be asked has been asked before.
///
/// With more cores nothing was measured, and one thread for all handlers would be a limit. There all is as Swift and NIO
/// have it.
public enum Threads {
    static let areToBeFew = System.coreCount <= 2

    /// To be called before any event loop is used.
    public static func limit() {
        if areToBeFew { NIOSingletons.groupLoopCountSuggestion = 1 }
    }
}
