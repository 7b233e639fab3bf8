/// What one request goes by in answers and logs. The gateway gives it; a service only does when none came.
public enum RequestIdentifier {
    /// The name of the field it travels in.
    public static let headerName = "x-request-id"

    /// 32 hexadecimal digits from the system's random source.
    public static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return HexText.string { text in
            HexText.append(generator.next(), to: &text)
            HexText.append(generator.next(), to: &text)
        }
    }

    /// An identifier that came with a request, if it is fit for a log: 1 to 64 of `A-Za-z0-9._-`.
    public static func accepted(_ field: String?) -> String? {
        guard let field, (1...64).contains(field.utf8.count), field.utf8.allSatisfy(isAllowed) else { return nil }
        return field
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
