import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How many streams there are on all event loops together, and how many each user has. Looked at when a stream begins
/// and when it ends, by no request.
final class LiveSeats: Sendable {
    enum Answer: Equatable { case taken, tooManyOfUser, full }

    private struct State {
        var count = 0
        var byUser: [UUID: Int] = [:]
    }

    private let maximum: Int
    private let maximumOfUser: Int
    private let state = Mutex(State())

    init(maximum: Int, ofUser: Int) {
        self.maximum = maximum
        self.maximumOfUser = ofUser
    }

    var count: Int { state.withLock { $0.count } }

    func take(_ user: UUID) -> Answer {
        state.withLock { state in
            guard state.count < maximum else { return .full }
            guard state.byUser[user, default: 0] < maximumOfUser else { return .tooManyOfUser }
            state.count += 1
            state.byUser[user, default: 0] += 1
            return .taken
        }
    }

    func giveBack(_ user: UUID) {
        state.withLock { state in
            state.count -= 1
            let rest = state.byUser[user, default: 1] - 1
            state.byUser[user] = rest > 0 ? rest : nil
        }
    }
}
