import NIOCore

/// Instants as text, as RFC 3339 has them. An instant is a count of microseconds since the Unix epoch.
public enum RFC3339 {
    /// Instants of the years 1 to 9999, which is what four digits can say.
    public static let range: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999

    /// Reads a date and time with an offset and 0 to 9 fractional digits; what is finer than a microsecond is cut off.
    ///
    /// Without an offset it is no instant, and a date that no calendar has is none either. A leap second (`:60`) is
    /// refused as well: Unix time and Postgres have no place for it.
    ///
    /// - Returns: microseconds since the Unix epoch, or nil.
    public static func microseconds(_ text: some StringProtocol) -> Int64? {
        var text = String(text)
        return text.withUTF8 { parse($0) }
    }

    private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        // 2016-11-16T15:56:56 is 19 bytes; at least Z follows.
        guard bytes.count >= 20, bytes[4] == dash, bytes[7] == dash, bytes[10] | 0x20 == UInt8(ascii: "t"),
            bytes[13] == colon, bytes[16] == colon,
            let year = number(bytes, 0, 4), let month = number(bytes, 5, 2), let day = number(bytes, 8, 2),
            let hour = number(bytes, 11, 2), let minute = number(bytes, 14, 2), let second = number(bytes, 17, 2),
            year >= 1, (1...12).contains(month), (1...daysIn(month, of: year)).contains(day),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var index = 19
        var fraction: Int64 = 0
        if bytes[index] == UInt8(ascii: ".") {
            index += 1
            let start = index
            while index < bytes.count, let digit = digit(bytes[index]) {
                if index - start < 6 { fraction = fraction * 10 + digit }
                index += 1
            }
            let count = index - start
            guard (1...9).contains(count) else { return nil }
            for _ in min(count, 6)..<6 { fraction *= 10 }
        }
        guard let offset = offset(bytes, from: index) else { return nil }
        let seconds =
            daysSinceEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
        let value = seconds * 1_000_000 + fraction
        return range.contains(value) ? value : nil
    }

    /// Seconds east of UTC that the rest of the text says, or nil if it is no offset.
    private static func offset(_ bytes: UnsafeBufferPointer<UInt8>, from index: Int) -> Int64? {
        guard index < bytes.count else { return nil }
        if bytes[index] | 0x20 == UInt8(ascii: "z") { return index + 1 == bytes.count ? 0 : nil }
        guard bytes[index] == UInt8(ascii: "+") || bytes[index] == dash, bytes.count == index + 6,
            bytes[index + 3] == colon,
            let hours = number(bytes, index + 1, 2), let minutes = number(bytes, index + 4, 2), hours < 24, minutes < 60
        else { return nil }
        let seconds = hours * 3_600 + minutes * 60
        return bytes[index] == dash ? -seconds : seconds
    }

    /// In UTC with six fractional digits and `Z`: `2016-11-16T15:56:56.179930Z`. Beyond ``range`` its nearest end.
    public static func text(microseconds: Int64) -> String {
        var buffer = ByteBuffer()
        write(microseconds: microseconds, into: &buffer)
        return String(buffer: buffer)
    }

    /// Appends what ``text(microseconds:)`` returns.
    public static func write(microseconds: Int64, into buffer: inout ByteBuffer) {
        let value = min(max(microseconds, range.lowerBound), range.upperBound)
        let (days, time) = floorDivide(value, by: 86_400_000_000)
        let (year, month, day) = civil(days)
        withUnsafeTemporaryAllocation(byteCount: 27, alignment: 1) { space in
            put(year, 4, at: 0, in: space)
            space[4] = dash
            put(month, 2, at: 5, in: space)
            space[7] = dash
            put(day, 2, at: 8, in: space)
            space[10] = UInt8(ascii: "T")
            put(time / 3_600_000_000, 2, at: 11, in: space)
            space[13] = colon
            put(time / 60_000_000 % 60, 2, at: 14, in: space)
            space[16] = colon
            put(time / 1_000_000 % 60, 2, at: 17, in: space)
            space[19] = UInt8(ascii: ".")
            put(time % 1_000_000, 6, at: 20, in: space)
            space[26] = UInt8(ascii: "Z")
            buffer.writeBytes(UnsafeRawBufferPointer(space))
        }
    }

    private static let dash = UInt8(ascii: "-")
    private static let colon = UInt8(ascii: ":")

    private static func put(_ value: Int64, _ width: Int, at start: Int, in space: UnsafeMutableRawBufferPointer) {
        var rest = value
        for index in stride(from: start + width - 1, through: start, by: -1) {
            space[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    private static func digit(_ byte: UInt8) -> Int64? {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int64(byte - UInt8(ascii: "0")) : nil
    }

    private static func number(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for index in start..<(start + count) {
            guard let digit = digit(bytes[index]) else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    private static func daysIn(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    // The proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March
    // (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").

    private static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(year, by: 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(days + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
