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

    /// The longest line that SMTP carries, without its CRLF (RFC 5321, section 4.5.3.1.6).
    private static let longestLine = 998

    /// The mail's bytes, lines ended by CRLF: the same at every try, of seven bits, and no line longer than SMTP carries.
    func bytes(of mail: Mail) -> [UInt8] {
        // The event's id is not known to whoever wrote something that the mail quotes.
        let boundary = "=_part-\(mail.delivery.text)"
        var text = ""
        func line(_ line: String) { text += line + "\r\n" }
        line("From: " + Self.mailbox(name: fromName, address: from))
        line("To: " + Self.mailbox(name: mail.toName, address: mail.to))
        line("Subject: " + Self.unstructured(mail.subject))
        line("Date: " + Self.date(mail.date))
        line("Message-ID: <\(mail.delivery.text)@\(domain)>")
        line("Auto-Submitted: auto-generated")
        if let unsubscribe = mail.unsubscribe { line("List-Unsubscribe: <\(unsubscribe)>") }
        line("MIME-Version: 1.0")
        line("Content-Type: multipart/alternative;\r\n boundary=\"\(boundary)\"")
        line("")
        for (type, body) in [("plain", mail.text), ("html", mail.html)] {
            line("--" + boundary)
            line("Content-Type: text/\(type); charset=utf-8")
            let lines = Self.bodyLines(body)
            // As it is where that is safe, which is easier on whoever reads the file.
            let isPlain = lines.allSatisfy { line in
                line.utf8.count <= Self.longestLine && line.utf8.allSatisfy { $0 < 0x7F && ($0 >= 0x20 || $0 == 0x09) }
            }
            line("Content-Transfer-Encoding: " + (isPlain ? "7bit" : "quoted-printable"))
            line("")
            for part in isPlain ? lines : QuotedPrintable.encode(lines) { line(part) }
        }
        line("--" + boundary + "--")
        return Array(text.utf8)
    }

    /// The lines of a text, whatever they are ended by.
    static func bodyLines(_ text: String) -> [String] {
        var lines: [String] = []
        var current = String.UnicodeScalarView()
        var afterReturn = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where afterReturn: break
            case "\n", "\r":
                lines.append(String(current))
                current = .init()
            default: current.append(scalar)
            }
            afterReturn = scalar == "\r"
        }
        return lines + [String(current)]
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

    /// Without control characters and line breaks of any kind: a field ends where the line does. What turns the
    /// direction of writing goes as well; what joins letters and emoji stays.
    static func cleaned(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar.properties.generalCategory {
            case .format where scalar == "\u{200C}" || scalar == "\u{200D}": scalar
            case .control, .lineSeparator, .paragraphSeparator, .surrogate, .format: " "
            default: scalar
            }
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view).split(separator: " ").joined(separator: " ")
    }

    /// The lines of what somebody wrote, each cleaned, without empty ones at either end.
    static func lines(_ text: String) -> [String] {
        var lines = bodyLines(text).map(cleaned)[...]
        while lines.first?.isEmpty == true { lines.removeFirst() }
        while lines.last?.isEmpty == true { lines.removeLast() }
        return Array(lines)
    }

    /// With signs of markup standing alone: what escapes them looks at whole characters, and does not know one with an
    /// accent over it.
    static func separated(_ text: String) -> String {
        String(
            text.map { character -> Character in
                guard let first = character.unicodeScalars.first, "<>&\"'".unicodeScalars.contains(first) else {
                    return character
                }
                return Character(first)
            })
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
        let time = CivilTime(seconds: instant.seconds)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][time.weekday]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let clock = "\(two(time.hour)):\(two(time.minute)):\(two(time.second))"
        return "\(weekday), \(two(time.day)) \(months[time.month - 1]) \(time.year) \(clock) +0000"
    }
}
