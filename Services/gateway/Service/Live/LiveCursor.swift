import NIOCore

/// How far somebody has been told: a position in the ledger of each service, nil where that is not known.
///
/// It is the `id` of the events of a stream. Positions are the ledgers' own, so any gateway can go on where another one,
/// or an earlier run of this one, has stopped.
struct LiveCursor: Equatable, Sendable {
    private var positions = Positions()

    /// Three numbers, without an array's memory of its own in each of thousands of listeners; -1 is nil.
    private struct Positions: Equatable {
        var accounts: Int64 = -1
        var heroes: Int64 = -1
        var calls: Int64 = -1
    }

    init() {}

    /// Reads what ``write(into:)`` wrote; nil for anything else.
    init?(_ text: some StringProtocol) {
        let words = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard words.count == ServiceName.allCases.count, text.utf8.count <= 64 else { return nil }
        for (source, word) in zip(ServiceName.allCases, words) {
            if word.elementsEqual("-".utf8) { continue }
            let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
            guard word.allSatisfy(digits.contains), let position = Int64(String(decoding: word, as: UTF8.self))
            else { return nil }
            self[source] = position
        }
    }

    subscript(source: ServiceName) -> Int64? {
        get {
            let position =
                switch source {
                case .accounts: positions.accounts
                case .heroes: positions.heroes
                case .calls: positions.calls
                }
            return position < 0 ? nil : position
        }
        set {
            switch source {
            case .accounts: positions.accounts = newValue ?? -1
            case .heroes: positions.heroes = newValue ?? -1
            case .calls: positions.calls = newValue ?? -1
            }
        }
    }

    /// `12.4.77`: accounts, heroes, calls; `-` for what is not known.
    func write(into text: inout ByteBuffer) {
        for (index, source) in ServiceName.allCases.enumerated() {
            if index > 0 { text.writeStaticString(".") }
            if let position = self[source] {
                text.writeDecimal(Int(position))
            } else {
                text.writeStaticString("-")
            }
        }
    }

    /// The further of the two, for each service.
    func furthest(_ other: LiveCursor) -> LiveCursor {
        var cursor = LiveCursor()
        cursor.positions.accounts = max(positions.accounts, other.positions.accounts)
        cursor.positions.heroes = max(positions.heroes, other.positions.heroes)
        cursor.positions.calls = max(positions.calls, other.positions.calls)
        return cursor
    }
}
