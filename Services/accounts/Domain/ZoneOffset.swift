/// How far a zone's clocks are from UTC at some time, and what that is called there.
public struct ZoneOffset: Sendable, Hashable {
    /// East of UTC.
    public var seconds: Int
    public var isDaylight: Bool
    /// `CST`, or `-03` where people have no word for it.
    public var abbreviation: String

    public init(seconds: Int, isDaylight: Bool, abbreviation: String) {
        self.seconds = seconds
        self.isDaylight = isDaylight
        self.abbreviation = abbreviation
    }

    /// Coordinated Universal Time.
    public static let utc = ZoneOffset(seconds: 0, isDaylight: false, abbreviation: "UTC")
}
