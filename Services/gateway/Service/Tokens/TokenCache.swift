import Identity

/// What one event loop remembers of tokens. Pure: it knows neither time nor Redis.
///
/// Bounded; when it is full, an entry goes that has not been used since the hand last passed (the clock algorithm).
struct TokenCache {
    private struct Slot {
        var token: Token
        var hash: TokenHash
        var record: TokenRecord
        var wasUsed: Bool
    }

    private let capacity: Int
    private var slots: [Slot?] = []
    private var byToken: [Token: Int] = [:]
    private var byHash: [TokenHash: Int] = [:]
    private var free: [Int] = []
    private var hand = 0

    /// - Parameter capacity: how many tokens at most.
    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var count: Int { byToken.count }

    /// The record of a live token.
    ///
    /// - Parameter now: Unix time in seconds; a record that has expired by then is forgotten.
    mutating func record(of token: Token, now: Int64) -> TokenRecord? {
        guard let index = byToken[token], let slot = slots[index] else { return nil }
        guard slot.record.expires > now else {
            remove(slot.hash)
            return nil
        }
        if !slot.wasUsed { slots[index]?.wasUsed = true }
        return slot.record
    }

    mutating func insert(_ token: Token, _ hash: TokenHash, _ record: TokenRecord) {
        remove(hash)
        let index: Int
        if let last = free.popLast() {
            index = last
        } else if slots.count < capacity {
            index = slots.count
            slots.append(nil)
        } else {
            index = evict()
        }
        slots[index] = Slot(token: token, hash: hash, record: record, wasUsed: false)
        byToken[token] = index
        byHash[hash] = index
    }

    mutating func remove(_ hash: TokenHash) {
        guard let index = byHash.removeValue(forKey: hash), let slot = slots[index] else { return }
        byToken[slot.token] = nil
        slots[index] = nil
        free.append(index)
    }

    mutating func removeAll() {
        slots.removeAll(keepingCapacity: true)
        byToken.removeAll(keepingCapacity: true)
        byHash.removeAll(keepingCapacity: true)
        free.removeAll(keepingCapacity: true)
        hand = 0
    }

    /// Frees a slot of a full cache.
    private mutating func evict() -> Int {
        while true {
            let index = hand
            hand = (hand + 1) % slots.count
            guard let slot = slots[index] else { continue }
            if slot.wasUsed {
                slots[index]?.wasUsed = false
                continue
            }
            byToken[slot.token] = nil
            byHash[slot.hash] = nil
            slots[index] = nil
            return index
        }
    }
}
