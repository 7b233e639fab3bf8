import NIOCore
import NIOPosix

/// Lets the reactor live on the thread of an event loop, beside what that loop has to do otherwise: what comes in by HTTP
/// then gets to Postgres, and the answer back, without the wake-up of another thread.
///
/// NIO watches no sockets but its own, and libpq's are libpq's to read. So the loop is told that the reactor's epoll has
/// something by a ``ReadinessPoll``, and the reactor has its turn after everything else that came in at the same time.
final class EventLoopHost: ReactorHost {
    private let eventLoop: any EventLoop
    private let poll: ReadinessPoll
    private let turns: NIOLoopBoundBox<Turns?>

    /// nil where there is no ``ReadinessPoll``, or no pipe that the loop could read.
    init?(_ eventLoop: any EventLoop) {
        guard NIOPipeBootstrap(validatingGroup: eventLoop) != nil, let poll = ReadinessPoll() else { return nil }
        self.eventLoop = eventLoop
        self.poll = poll
        self.turns = .makeEmptyBox(eventLoop: eventLoop)
    }

    func ring() {
        if eventLoop.inEventLoop {
            turns.value?.takeSoon()
        } else {
            eventLoop.execute { [turns] in turns.value?.take() }
        }
    }

    func start(_ make: @escaping @Sendable () -> Reactor?, orElse fail: @escaping @Sendable () -> Void) {
        NIOPipeBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64))
            .channelInitializer { [turns] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Told { turns.value?.look() })
                }
            }
            .takingOwnershipOfDescriptor(input: poll.eventDescriptor)
            .whenComplete { [turns, poll] result in
                guard case .success(let channel) = result else { return fail() }
                guard let reactor = make() else {
                    channel.close(promise: nil)
                    return fail()
                }
                let these = Turns(reactor, poll, channel)
                these.onEnd = { turns.value = nil }
                turns.value = these
                these.take()
            }
    }

    /// Reads the eventfd.
    private final class Told: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let tell: () -> Void

        init(_ tell: @escaping () -> Void) { self.tell = tell }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { tell() }
    }
}

/// When a reactor on an event loop has its turns. On that loop's thread only.
private final class Turns {
    var onEnd: () -> Void = {}
    private let reactor: Reactor
    private let poll: ReadinessPoll
    /// The eventfd's.
    private let channel: any Channel
    /// The kernel has been asked to tell of the sockets, and has not yet.
    private var isAsked = false
    /// It has told.
    private var isTold = false
    /// A turn comes before the loop sleeps.
    private var isSoon = false
    private var timer: Scheduled<Void>?
    private var timerDeadline = NIODeadline.distantFuture

    init(_ reactor: Reactor, _ poll: ReadinessPoll, _ channel: any Channel) {
        self.reactor = reactor
        self.poll = poll
        self.channel = channel
    }

    /// One of the sockets has something.
    func look() {
        if poll.take() { isAsked = false }
        isTold = true
        takeSoon()
    }

    /// Takes a turn when the loop has read everything that is there: all of it goes to Postgres in one batch.
    func takeSoon() {
        if isSoon { return }
        isSoon = true
        let me = NIOLoopBound(self, eventLoop: channel.eventLoop)
        channel.eventLoop.execute { me.value.take() }
    }

    func take() {
        isSoon = false
        if reactor.isEnded { return }
        reactor.turn(sleep: isTold || !isAsked ? 0 : nil)
        isTold = false
        if reactor.isEnded { return end() }
        if !isAsked { isAsked = poll.tell(of: reactor.epoll) }
        sleep()
    }

    /// Sees to the next turn if nothing happens.
    private func sleep() {
        let timeout = reactor.timeout
        // By way of the loop's own sleep: HTTP and the sockets have their turn before the rest of the box.
        if timeout == 0 { return poll.tellAnyway() }
        let deadline = NIODeadline.now() + .milliseconds(Int64(timeout))
        if deadline >= timerDeadline { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = channel.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [self] in
            timerDeadline = .distantFuture
            isTold = true
            take()
        }
    }

    private func end() {
        timer?.cancel()
        channel.close(promise: nil)
        onEnd()
        leave()
    }

    private func leave() {
        if reactor.hasLeft() { return }
        channel.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(2)) { self.leave() }
    }
}
