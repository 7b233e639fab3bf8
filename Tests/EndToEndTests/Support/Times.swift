import Foundation

/// Instants that a call can be agreed for.
enum Times {
    /// One for the whole run: no hour turns between a suggestion and the agreement on it.
    private static let begun = Date()

    /// A quarter of an hour, so many hours and quarters ahead.
    static func slot(hours: Int, quarter: Int = 0, after now: Date = begun) -> String {
        let hour = (Int(now.timeIntervalSince1970) / 3600 + hours) * 3600
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "yyyy-MM-dd'T'HH:mm:ss'.000000Z'"
        return formatter.string(from: Date(timeIntervalSince1970: Double(hour + quarter * 900)))
    }

    /// The body of a suggestion whose times begin so many hours ahead.
    static func three(from hours: Int) -> String {
        """
        {"time_one": "\(slot(hours: hours))", "time_two": "\(slot(hours: hours + 1, quarter: 1))", \
        "time_three": "\(slot(hours: hours + 2, quarter: 2))"}
        """
    }
}
