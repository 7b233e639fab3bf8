import AccountsDomain
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes a mail as it travels: RFC 5322, with a text and an HTML part (RFC 2046, section 5.1.4).
struct MailText: Sendable {
    /// The sender's address.
    var from: String
    var fromName: String = "Tech Heroes"
    /// The right-hand side of message ids.
    var domain: String

    /// The mail's bytes, lines ended by CRLF.
    func bytes(of mail: Mail) -> [UInt8] {
        let boundary = "=_part-\(mail.number)-\(UUID().uuidString.lowercased())"
        var text = ""
        func line(_ line: String) { text += line + "\r\n" }
        line("From: " + Self.mailbox(name: fromName, address: from))
        line("To: " + Self.mailbox(name: mail.toName, address: mail.to))
        line("Subject: " + Self.unstructured(mail.subject))
        line("Date: " + Self.date(mail.date))
        line("Message-ID: <\(mail.number).\(UUID().uuidString.lowercased())@\(domain)>")
        line("Auto-Submitted: auto-generated")
        line("MIME-Version: 1.0")
        line("Content-Type: multipart/alternative; boundary=\"\(boundary)\"")
        line("")
        for (type, body) in [("plain", mail.text), ("html", mail.html)] {
            line("--" + boundary)
            line("Content-Type: text/\(type); charset=utf-8")
            // As it is: an encoding that folds lines would break links apart for whoever reads the file.
            line("Content-Transfer-Encoding: " + (body.utf8.allSatisfy { $0 < 0x80 } ? "7bit" : "8bit"))
            line("")
            for part in body.split(separator: "\n", omittingEmptySubsequences: false) { line(String(part)) }
        }
        line("--" + boundary + "--")
        return Array(text.utf8)
    }

    /// A display name with an address. The address is one of ``EmailAddress`` and needs no quoting; the name is
    /// anything that somebody typed.
    static func mailbox(name: String, address: String) -> String {
        let name = cleaned(name)
        if name.isEmpty { return address }
        let plain = name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: " ")
        }
        // Anything else is encoded, a quotation mark as well as a letter with an accent.
        // The address then has a line of its own: the one before may be full (RFC 2047, section 2).
        return plain && name.utf8.count <= 60 ? "\(name) <\(address)>" : "\(encodedWords(name))\r\n <\(address)>"
    }

    /// The value of a field that is plain text, such as Subject.
    static func unstructured(_ value: String) -> String {
        let value = cleaned(value)
        let isPlain = value.utf8.allSatisfy { (0x20...0x7E).contains($0) } && value.utf8.count <= 120
        return isPlain && !value.contains("=?") ? value : encodedWords(value)
    }

    /// Without control characters and line breaks of any kind: a field ends where the line does.
    static func cleaned(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .surrogate, .format: " "
            default: scalar
            }
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view).split(separator: " ").joined(separator: " ")
    }

    /// RFC 2047: words of whole scalars, on lines of their own, each line at most 76 characters.
    static func encodedWords(_ text: String) -> String {
        var words: [String] = []
        var chunk: [UInt8] = []
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            // 39 bytes are 52 characters of base 64, "=?utf-8?B?" and "?=" 12 more, and "Subject: " may stand before.
            if chunk.count + bytes.count > 39 {
                words.append(encodedWord(chunk))
                chunk = []
            }
            chunk += bytes
        }
        words.append(encodedWord(chunk))
        return words.joined(separator: "\r\n ")
    }

    private static func encodedWord(_ bytes: [UInt8]) -> String {
        "=?utf-8?B?\(Data(bytes).base64EncodedString())?="
    }

    /// RFC 5322, section 3.3, in UTC.
    static func date(_ instant: Instant) -> String {
        let day = Int(instant.seconds >= 0 ? instant.seconds / 86_400 : (instant.seconds - 86_399) / 86_400)
        let second = Int(instant.seconds) - day * 86_400
        let (year, month, date) = civil(day)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][((day % 7) + 7) % 7]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let time = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
        return "\(weekday), \(two(date)) \(months[month - 1]) \(year) \(time) +0000"
    }

    /// The date of a day counted from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    private static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
