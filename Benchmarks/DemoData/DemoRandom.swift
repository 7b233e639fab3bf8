import Foundation

/// Numbers that look random and are the same for the same seed, on every machine (SplitMix64, Steele et al. 2014).
struct DemoRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// 0 up to, not including, 1.
    mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }

    mutating func chance(_ probability: Double) -> Bool { fraction() < probability }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int(next() % UInt64(elements.count))]
    }

    /// The first ones much more often than the last: what comes at place n is met about 1/n times as often.
    mutating func pickFront<Element>(_ elements: [Element]) -> Element {
        let place = pow(Double(elements.count + 1), fraction())
        return elements[min(Int(place) - 1, elements.count - 1)]
    }
}
