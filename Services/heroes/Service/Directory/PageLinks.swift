import HeroesDomain
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Absolute addresses of pages, as `next` and `previous` have them.
struct PageLinks: Sendable {
    private let base: String

    /// - Parameter publicURL: where clients reach the gateway, without a slash at its end.
    init(publicURL: String) {
        base = publicURL + "/api/v1/heroes/"
    }

    /// The page of the same list at another place; the first page when nil.
    func url(_ request: PageRequest, at cursor: Cursor?) -> String {
        var pairs: [String] = []
        let filter = request.filter
        if let discipline = filter.discipline { pairs.append("discipline=\(discipline.rawValue)") }
        if let search = filter.search { pairs.append("search=\(Self.encode(search.text))") }
        if let rate = filter.minimumRate { pairs.append("min_rate=\(rate)") }
        if let rate = filter.maximumRate { pairs.append("max_rate=\(rate)") }
        if request.ordering != .standard { pairs.append("ordering=\(request.ordering.text)") }
        if request.size != PageRequest.standardSize { pairs.append("page_size=\(request.size)") }
        if let cursor { pairs.append("cursor=\(cursor.text)") }
        return pairs.isEmpty ? base : base + "?" + pairs.joined(separator: "&")
    }

    /// Everything but unreserved characters is escaped (RFC 3986, section 2.3).
    private static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                encoded += byte < 16 ? "%0" : "%"
                encoded += String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}

extension Search {
    /// Words that mean this search again.
    var text: String { (exact + (beginning.map { [$0] } ?? [])).joined(separator: " ") }
}

extension Cursor {
    /// As it stands in an address (RFC 4648, section 5).
    var text: String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// A cursor out of an address, if it is one that the database can compare with.
    init?(text: String) {
        guard text.utf8.count < 100 else { return nil }
        var base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        guard let data = Data(base64Encoded: base64) else { return nil }
        self.init(bytes: data)
        guard ordering.key != .created || RFC3339.range.contains(key) else { return nil }
    }
}
