import CLibpq
import Glibc

/// A thread of its own for what must not block Swift's cooperative pool: libpq's event loop, a connect, a cancel.
enum DetachedThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: false when the system has no thread to give.
    static func start(_ name: String, _ run: @escaping @Sendable () -> Void) -> Bool {
        let body = Unmanaged.passRetained(
            Body {
                clibpq_name_thread(name)
                run()
            })
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        // TLS, the resolver and tasks live on this stack; only what is touched becomes resident.
        pthread_attr_setstacksize(&attributes, 8 << 20)
        var thread = pthread_t()
        let failed = pthread_create(
            &thread, &attributes,
            { context in
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        guard failed == 0 else {
            body.release()
            return false
        }
        return true
    }
}
