import NIOCore

/// What concerns all event loops at once.
enum Lanes {
    /// Has each lane's token check reach all the others.
    static func connect(_ lanes: [NIOLoopBound<Lane>]) {
        for bound in lanes {
            let home = bound.eventLoop
            home.execute {
                bound.value.tokens?.settleEverywhere = { hash, done in
                    let waiting = NIOLoopBound(Countdown(lanes.count, done), eventLoop: home)
                    for other in lanes {
                        let settle: @Sendable () -> Void = {
                            let done = { home.execute { waiting.value.one() } }
                            guard let tokens = other.value.tokens else { return done() }
                            tokens.settle(hash, done)
                        }
                        if other.eventLoop === home { settle() } else { other.eventLoop.execute(settle) }
                    }
                }
            }
        }
    }

    private final class Countdown {
        private var rest: Int
        private let done: () -> Void

        init(_ count: Int, _ done: @escaping () -> Void) {
            rest = count
            self.done = done
        }

        func one() {
            rest -= 1
            if rest == 0 { done() }
        }
    }
}
