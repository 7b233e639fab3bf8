import HeroesDomain
import ServiceKit
import Synchronization

/// What somebody asks the directory for.
enum DirectoryKey: Sendable, Hashable {
    case page(PageRequest)
    case hero(HeroName)
}

/// How a hero is called in an address.
enum HeroName: Sendable, Hashable {
    case id(Int64)
    case slug(Slug)
}

/// Answers kept in this process, each with the edition it was made in. It never says that one still holds: who asks
/// says from which edition on.
final class DirectoryCache: Sendable {
    /// An answer and its edition; nil when there is nothing of that kind, which is not kept.
    struct Made: Sendable {
        var answer: DirectoryAnswer?
        var version: Int64
    }

    private struct State {
        var version: Int64 = 0
        var kept: [DirectoryKey: Made] = [:]
        var cost = 0
        var making: [DirectoryKey: Task<Made, any Error>] = [:]
    }

    private let state = Mutex(State())
    private let maximumCost: Int

    /// - Parameter maximumCost: bytes of answers to keep.
    init(maximumCost: Int = 16 << 20) {
        self.maximumCost = maximumCost
    }

    /// Bytes of answers kept, about.
    var cost: Int { state.withLock { $0.cost } }

    /// What the database has just said. Answers of other editions go: older ones are of no more use, and newer ones can
    /// only come from a database that is gone (another has taken its place and lacks its last commits).
    func directory(isAt edition: Edition) {
        state.withLock { state in
            guard edition.version != state.version else { return }
            if edition.version < state.version {
                state.kept = [:]
            } else {
                state.kept = state.kept.filter { $0.value.version >= edition.version }
            }
            state.version = edition.version
            state.cost = state.kept.values.reduce(0) { $0 + ($1.answer?.cost ?? 0) }
        }
    }

    /// An answer made in an edition or a later one. Of those who ask for the same thing at once, one makes it.
    ///
    /// - Throws: what `make` throws; `Problem` (503) when that edition is gone with the database that was at it.
    func answer(
        _ key: DirectoryKey, from version: Int64, make: @escaping @Sendable () async throws -> Made
    ) async throws -> DirectoryAnswer? {
        while true {
            switch find(key, from: version, make: make) {
            case .kept(let made): return made.answer
            case .making(let task):
                // It was under way before we asked and may have been made too early.
                let made = try await task.value
                if made.version >= version { return made.answer }
            case .ours(let task):
                let made = try await task.value
                guard made.version >= version else { throw Problem.unavailable() }
                return made.answer
            }
        }
    }

    private enum Found {
        case kept(Made)
        /// By another who asks for it.
        case making(Task<Made, any Error>)
        case ours(Task<Made, any Error>)
    }

    private func find(
        _ key: DirectoryKey, from version: Int64, make: @escaping @Sendable () async throws -> Made
    ) -> Found {
        state.withLock { state in
            if let made = state.kept[key], made.version >= version { return .kept(made) }
            if let task = state.making[key] { return .making(task) }
            let task = Task {
                do {
                    let made = try await make()
                    finish(key, made)
                    return made
                } catch {
                    finish(key, nil)
                    throw error
                }
            }
            state.making[key] = task
            return .ours(task)
        }
    }

    private func finish(_ key: DirectoryKey, _ made: Made?) {
        state.withLock { state in
            state.making[key] = nil
            guard let made, let answer = made.answer, made.version >= state.version else { return }
            if let old = state.kept.removeValue(forKey: key) { state.cost -= old.answer?.cost ?? 0 }
            if state.cost + answer.cost > maximumCost {
                // What is asked for often is back in no time.
                state.kept = [:]
                state.cost = 0
            }
            guard answer.cost <= maximumCost else { return }
            state.kept[key] = made
            state.cost += answer.cost
        }
    }
}
