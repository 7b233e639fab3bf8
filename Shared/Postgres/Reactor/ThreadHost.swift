import CLibpq
import Glibc

/// A thread for the reactor alone. It sleeps in the reactor's epoll until a socket has something or it rings.
final class ThreadHost: ReactorHost {
    /// Every write to it wakes, whether the ones before were read or not (EPOLLET): nobody needs to read it.
    private let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))

    deinit {
        if bell >= 0 { close(bell) }
    }

    func ring() {
        eventfd_write(bell, 1)
    }

    func start(_ make: @escaping @Sendable () -> Reactor?, orElse fail: @escaping @Sendable () -> Void) {
        let started = DetachedThread.start("postgres") { [self] in
            guard let reactor = make(), watchBell(reactor.epoll) else { return fail() }
            while !reactor.isEnded { reactor.turn(sleep: reactor.timeout) }
            while !reactor.hasLeft() { usleep(2_000) }
        }
        if !started { fail() }
    }

    private func watchBell(_ epoll: Int32) -> Bool {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLET.rawValue
        // The connections' numbers begin with 1.
        event.data.u64 = 0
        return epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event) == 0
    }
}
