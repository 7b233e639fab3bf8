import AccountsDomain

/// How long a server wants not to be asked again (RFC 9110, section 10.2.3).
enum RetryAfter {
    /// - Parameters:
    ///   - value: of the field: seconds, or a date as RFC 9110, section 5.6.7, has it.
    ///   - now: seconds since the Unix epoch.
    /// - Returns: nil when it is neither.
    static func duration(_ value: String, now: Int64) -> Duration? {
        if let seconds = Int64(value) { return seconds < 0 ? nil : .seconds(min(seconds, 86_400)) }
        return date(value).map { .seconds(min(max($0 - now, 0), 86_400)) }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int(words[1]), (1...31).contains(day),
            let month = months.firstIndex(of: words[2]), let year = Int(words[3]), (1970...9999).contains(year)
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        return CivilTime.days(year, month + 1, day) * 86_400 + Int64(clock[0] * 3_600 + clock[1] * 60 + clock[2])
    }

    private static let months: [Substring] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
