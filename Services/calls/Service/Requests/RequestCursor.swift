#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A place in a list that stays where it is while others write: beside one request, in one direction.
enum RequestCursor: Sendable, Hashable {
    /// The page that comes after a request: older ones.
    case olderThan(Int64)
    /// The page that ends before a request: newer ones.
    case newerThan(Int64)

    /// As it stands in an address (RFC 4648, section 5).
    var text: String {
        let (letter, id) =
            switch self {
            case .olderThan(let id): ("o", id)
            case .newerThan(let id): ("n", id)
            }
        return Data("\(letter)\(id)".utf8).base64EncodedString().replacing("=", with: "")
    }

    /// A cursor out of an address.
    init?(text: String) {
        guard text.utf8.count <= 32 else { return nil }
        let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), let word = String(validating: data, as: UTF8.self),
            word.dropFirst().utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let id = Int64(word.dropFirst()), id > 0
        else { return nil }
        switch word.first {
        case "o": self = .olderThan(id)
        case "n": self = .newerThan(id)
        default: return nil
        }
    }
}
