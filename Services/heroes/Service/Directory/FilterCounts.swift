import HeroesDomain
import Synchronization

/// How many heroes pass filters that were asked for of late, each in an edition.
final class FilterCounts: Sendable {
    struct Count: Sendable, Hashable {
        var number: Int64
        var isExact: Bool
    }

    private static let most = 1000
    private let kept = Mutex<[DirectoryFilter: (version: Int64, count: Count)]>([:])

    subscript(filter: DirectoryFilter, version: Int64) -> Count? {
        get {
            kept.withLock { kept in
                guard let known = kept[filter], known.version == version else { return nil }
                return known.count
            }
        }
        set {
            kept.withLock { kept in
                if kept.count >= Self.most { kept = [:] }
                kept[filter] = newValue.map { (version, $0) }
            }
        }
    }
}
