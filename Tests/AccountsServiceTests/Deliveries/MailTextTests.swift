import AccountsDomain
import Foundation
import Testing

@testable import AccountsService

@Suite("Mail as it travels")
struct MailTextTests {
    static let format = MailText(from: "no-reply@techheroes.example", domain: "web.example")

    static func mail(
        name: String = "Cam Newton", to: String = "cam@example.com", subject: String = "Hello",
        text: String = "One\n\nTwo\n", html: String = "<p>One</p>\n", at: Int64 = 1_479_311_756_179_930
    ) -> Mail {
        Mail(
            delivery: .test(7), to: to, toName: name, subject: subject, text: text, html: html,
            date: Instant(microseconds: at))
    }

    @Test("Long lines and bare ends of lines never leave as such, and arrive as they were meant")
    func lines() async throws {
        let word = String(repeating: "x", count: 2000)
        let text = "a\rb\r\nc \n\tTab\u{0}\n\(word)\n=3D == =\n"
        let mail = try await ParsedMail(Self.format.bytes(of: Self.mail(text: text, html: "short\n")))
        #expect(mail.defects.isEmpty && mail.hasCleanLines && mail.longestLine <= 78)
        #expect(mail.parts.map(\.encoding) == ["quoted-printable", "7bit"])
        #expect(mail.parts[0].content == "a\nb\nc \n\tTab\u{0}\n\(word)\n=3D == =\n")
        let longest = String(repeating: "x", count: 998)
        let plain = try await ParsedMail(Self.format.bytes(of: Self.mail(text: longest)))
        #expect(plain.parts[0].encoding == "7bit" && plain.longestLine == 998)
    }

    @Test("A mail that may be muted says where")
    func unsubscribe() async throws {
        var mail = Self.mail()
        mail.unsubscribe = "https://web.example/settings/notifications"
        let parsed = try await ParsedMail(Self.format.bytes(of: mail))
        #expect(parsed.defects.isEmpty)
        #expect(parsed.headerLines.contains("List-Unsubscribe: <https://web.example/settings/notifications>"))
    }

    @Test("Another implementation reads what was meant, and finds no defect")
    func plain() async throws {
        let mail = try await ParsedMail(Self.format.bytes(of: Self.mail()))
        #expect(mail.defects.isEmpty && mail.hasCleanLines)
        #expect(mail.from == [.init(name: "Tech Heroes", address: "no-reply@techheroes.example")])
        #expect(mail.to == [.init(name: "Cam Newton", address: "cam@example.com")])
        #expect(mail.subject == "Hello" && mail.date == "2016-11-16T15:55:56+00:00")
        #expect(mail.type == "multipart/alternative")
        #expect(
            mail.parts == [
                .init(type: "text/plain", charset: "utf-8", encoding: "7bit", content: "One\n\nTwo\n"),
                .init(type: "text/html", charset: "utf-8", encoding: "7bit", content: "<p>One</p>\n"),
            ])
        // Each field that may be there once is there once (RFC 5322, section 3.6).
        #expect(
            mail.fields == [
                "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
            ])
        #expect(mail.headerLines.contains { $0.wholeMatch(of: /Message-ID: <7\.[0-9a-f-]{36}@web\.example>/) != nil })
    }

    @Test("Letters of any script arrive, in the text and in the fields")
    func unicode() async throws {
        let text = "Grüße, 名字, 👩‍🚀 und ein . am Anfang:\n.\n..\nFrom here\n--\n"
        let mail = try await ParsedMail(
            Self.format.bytes(of: Self.mail(name: "Jörg 名字", subject: "Grüße 👋", text: text, html: text)))
        #expect(mail.defects.isEmpty && mail.hasCleanLines, "\(mail.defects)")
        #expect(mail.to == [.init(name: "Jörg 名字", address: "cam@example.com")])
        #expect(mail.subject == "Grüße 👋")
        #expect(mail.parts.map(\.encoding) == ["quoted-printable", "quoted-printable"])
        #expect(mail.parts.map(\.content) == [text, text])
        #expect(mail.headerLines.allSatisfy { $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } })
    }

    /// What somebody may call themselves.
    static let names = [
        "Evil\r\nBcc: victim@example.com", "Evil\nBcc: victim@example.com", "Evil\rBcc: victim@example.com",
        "Evil\r\n\r\n<p>body</p>", "Evil\u{2028}Bcc: victim@example.com", "Evil\u{85}Bcc: victim@example.com",
        "Evil\u{0B}\u{0C}\u{1C}Bcc: victim@example.com", "\u{0}\u{1}\u{7F}", "\u{202E}moc.elpmaxe@live",
        "=?utf-8?q?Bcc:_victim=40example.com?=", "=?utf-8?B?QmNjOiB4?= x", "Cam\" <victim@example.com>, \"Newton",
        "victim@example.com", "a, b", "a; b: c", "(comment) name", "back\\slash", "quote\"", "<>", "name.", ".",
        "Dr. No",
        "  spaced   out  ", "\t", "O'Neill", "Jean-Luc", "名字 姓", "Ünïcödé", String(repeating: "👩‍👩‍👧‍👦", count: 7),
        String(repeating: "x", count: 101), String(repeating: "é", count: 101), String(repeating: "字", count: 101),
        String(repeating: "a b ", count: 25), "{{code}} {{{link}}}", "<script>alert(1)</script>", "%0d%0aBcc: x@y.zz",
    ]

    @Test("No name makes a field, an address or a line of its own", arguments: names)
    func injection(name: String) async throws {
        let bytes = Self.format.bytes(of: Self.mail(name: name, subject: name))
        let mail = try await ParsedMail(bytes)
        let cleaned = MailText.cleaned(name)
        #expect(mail.defects.isEmpty && mail.hasCleanLines, "\(mail.defects)")
        #expect(mail.to == [.init(name: cleaned, address: "cam@example.com")])
        #expect(mail.subject == cleaned)
        #expect(
            mail.fields == [
                "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
            ])
        #expect(mail.parts.map(\.type) == ["text/plain", "text/html"])
        // RFC 5322, section 2.1.1: at most 998, better 78; RFC 2047, section 2: 76 where encoded words are.
        for line in mail.headerLines {
            #expect(line.utf8.count <= (line.contains("=?") ? 76 : 998), "\(line)")
        }
    }

    @Test("The longest address with the longest name still makes good lines")
    func longest() async throws {
        let address =
            String(repeating: "a", count: 64) + "@" + String(repeating: "b", count: 63) + "."
            + String(repeating: "c", count: 63) + "." + String(repeating: "d", count: 57) + ".com"
        #expect(address.count == 254)
        let name = String(repeating: "字", count: 101)
        let mail = try await ParsedMail(Self.format.bytes(of: Self.mail(name: name, to: address)))
        #expect(mail.defects.isEmpty && mail.to == [.init(name: name, address: address)])
        #expect(mail.longestLine <= 998)
    }

    @Test(
        "Dates are those of RFC 5322, in UTC",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"), (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"), (951_868_800, "Wed, 01 Mar 2000 00:00:00 +0000"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 +0000"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
        ])
    func dates(seconds: Int64, text: String) {
        #expect(MailText.date(Instant(microseconds: seconds * 1_000_000)) == text)
        #expect(MailText.date(Instant(microseconds: seconds * 1_000_000 + 999_999)) == text)
    }

    @Test("No two mails have the same boundary or id, and one that is sent again is the same to the last byte")
    func unique() {
        var other = Self.mail()
        other.delivery.event = UUID()
        let mails = [Self.mail(), other].map { String(decoding: Self.format.bytes(of: $0), as: UTF8.self) }
        #expect(Self.format.bytes(of: other) == Self.format.bytes(of: other))
        for field in ["boundary=", "Message-ID: "] {
            let values = mails.map { $0.split(separator: "\r\n").first { $0.contains(field) } }
            #expect(values[0] != nil && values[0] != values[1])
        }
    }
}

extension DeliveryID {
    static func test(_ number: Int64) -> DeliveryID {
        DeliveryID(number: number, event: UUID(uuidString: "0b9c1f6e-6a53-4d5e-9d4b-0a6f0c1d2e01") ?? UUID())
    }
}
