/// Ids by which a request is found again in the logs.
enum RequestIDs {
    /// The client's own id if it is a sane one, else a new one.
    static func id(of shape: RequestShape, _ random: inout FastRandom) -> String {
        if let id = shape.requestID, isSane(id) { return id }
        return Self.random(&random)
    }

    /// 32 lowercase hexadecimal digits.
    static func random(_ random: inout FastRandom) -> String {
        let numbers = (random.next(), random.next())
        return String(unsafeUninitializedCapacity: 32) { bytes in
            for index in 0..<32 {
                let number = index < 16 ? numbers.0 : numbers.1
                let digit = UInt8(truncatingIfNeeded: number >> UInt64((index & 15) * 4) & 15)
                bytes[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 32
        }
    }

    /// Letters, digits and `-_.`, at most 64: nothing that could do harm in a log or a field.
    static func isSane(_ id: String) -> Bool {
        let bytes = id.utf8
        return !bytes.isEmpty && bytes.count <= 64
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
