#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes text into memory that is large enough for it, which its user has seen to.
struct ASCIIWriter {
    private let memory: UnsafeMutableRawBufferPointer
    /// Bytes written so far.
    var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) {
        self.memory = memory
    }

    /// There only as long as the memory.
    var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    mutating func byte(_ byte: UInt8) {
        memory[count] = byte
        count += 1
    }

    mutating func string(_ text: some StringProtocol) {
        var text = Substring(text)
        text.withUTF8 { bytes in
            memory[count...].copyBytes(from: bytes)
            count += bytes.count
        }
    }

    mutating func decimal(_ number: Int64) {
        if number < 0 { byte(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let start = count
        repeat {
            byte(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        // The last digit came first.
        memory[start..<count].reverse()
    }

    /// Two lowercase digits for each byte.
    mutating func hex(_ bytes: UnsafeRawBufferPointer) {
        for value in bytes {
            byte(Self.digit(value >> 4))
            byte(Self.digit(value & 15))
        }
    }

    /// A UUID in lower case, as RFC 9562 writes it.
    mutating func uuid(_ id: UUID) {
        withUnsafeBytes(of: id.uuid) { bytes in
            for (index, value) in bytes.enumerated() {
                if index == 4 || index == 6 || index == 8 || index == 10 { byte(UInt8(ascii: "-")) }
                byte(Self.digit(value >> 4))
                byte(Self.digit(value & 15))
            }
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
