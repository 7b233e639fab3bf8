import AccountsDomain
import Foundation
import Logging
import Testing

@testable import AccountsService

@Suite("Every message in words")
struct AllTemplatesTests {
    static let evil = "<script>alert(1)</script>\r\nBcc: victim@example.com\u{2028}\"' & 👩‍💻 {{code}}{{{link}}}"

    private static func message(_ kind: Message.Kind, other: String = "Tom Brady", zone: String) -> Message {
        let subject = Message.Subject(
            id: 9, other: other, title: other, discipline: "BE", minutes: 15,
            times: [2_215_064_700_000_000, 2_224_713_600_000_000], reason: "No.\r\n\(other)\nMore", zone: zone)
        return Message(
            kind: kind, to: kind.channel == .mail ? "a@b.co" : "2345678901", name: other, code: "abcd2345",
            subject: subject)
    }

    private static func words(
        _ kind: Message.Kind, other: String = "Tom Brady", zone: String = "America/Chicago"
    ) async throws -> (mail: Mail?, sms: SMS?) {
        let templates = try MessageTemplates(webDomain: "web.example")
        let clocks = ZoneClocks(try .system(), logger: Logger(label: "zones"))
        let clock = await clocks.clock(of: TimeZoneName(stored: zone))
        let message = message(kind, other: other, zone: zone)
        let now = Instant(microseconds: 1_479_311_756_179_930)
        return (
            templates.mail(message, .test(1), written: now, clock: clock),
            templates.sms(message, .test(1), at: now, clock: clock)
        )
    }

    @Test("Each kind has words for its channel and no other, with nothing left out", arguments: Message.Kind.allCases)
    func complete(kind: Message.Kind) async throws {
        let (mail, sms) = try await Self.words(kind)
        #expect((mail != nil) == (kind.channel == .mail) && (sms != nil) == (kind.channel == .sms))
        for text in [mail?.subject, mail?.text, mail?.html, sms?.body].compactMap({ $0 }) {
            #expect(!text.isEmpty && !text.contains("{{") && !text.contains("}}"))
            // What a name that the message doesn't have would leave behind.
            #expect(!text.contains("  ,") && !text.contains("Hello ,") && !text.contains("()"))
        }
        if let sms { #expect(!sms.body.contains("\n")) }
    }

    static let links: [(Message.Kind, String)] = [
        (.verifyEmail, "verify-email/abcd2345"), (.resetPassword, "reset-password/abcd2345"),
        (.heroApplied, "accept-decline-hero/9"), (.callRequested, "call-requests/accept-or-decline/9"),
        (.callAccepted, "call-request/9"), (.callDeclined, "call-request/9"), (.timesSuggested, "call-request/9"),
        (.timeAgreed, "call-request/9"), (.callReminder, "call-request/9"),
    ]

    @Test("Links lead where the contract says, in text and HTML", arguments: links)
    func leads(kind: Message.Kind, path: String) async throws {
        let mail = try #require(try await Self.words(kind).mail)
        let text = try await ParsedMail(MailTextTests.format.bytes(of: mail)).parts.map(\.content)
        #expect(text[0].contains("\nhttps://web.example/\(path)\n"))
        #expect(text[1].contains(#"<a href="https://web.example/\#(path)">https://web.example/\#(path)</a>"#))
    }

    @Test("Times are the reader's own, with zone and year, past the end of the tables and across daylight saving")
    func times() async throws {
        // 2040-03-11T07:45Z is fifteen minutes before Chicago's clocks go forward.
        let expected = [
            "America/Chicago": [
                "Sunday, March 11, 2040 at 1:45 AM CST (America/Chicago)",
                "Saturday, June 30, 2040 at 7:00 PM CDT (America/Chicago)",
            ],
            "Asia/Kathmandu": [
                "Sunday, March 11, 2040 at 1:30 PM UTC+05:45 (Asia/Kathmandu)",
                "Sunday, July 1, 2040 at 5:45 AM UTC+05:45 (Asia/Kathmandu)",
            ],
            "Europe/Dublin": [
                "Sunday, March 11, 2040 at 7:45 AM GMT (Europe/Dublin)",
                "Sunday, July 1, 2040 at 1:00 AM IST (Europe/Dublin)",
            ],
            "UTC": ["Sunday, March 11, 2040 at 7:45 AM UTC", "Sunday, July 1, 2040 at 12:00 AM UTC"],
        ]
        for (zone, times) in expected {
            for kind in [Message.Kind.callAccepted, .timesSuggested] {
                let mail = try #require(try await Self.words(kind, zone: zone).mail)
                #expect(mail.text.contains("\n- \(times[0])\n- \(times[1])\n"), "\(mail.text)")
                #expect(mail.html.contains("<li>\(times[0])</li>\n<li>\(times[1])</li>"))
            }
            for kind in [Message.Kind.timeAgreed, .callReminder] {
                let mail = try #require(try await Self.words(kind, zone: zone).mail)
                #expect(mail.text.contains("\n\(times[0])\n") && mail.html.contains("<b>\(times[0])</b>"))
            }
            let sms = try #require(try await Self.words(.callReminderSMS, zone: zone).sms)
            #expect(sms.body == "Tech Heroes: your call with Tom Brady starts on \(times[0])")
        }
    }

    @Test("Names, titles and reasons are text and nothing else", arguments: Message.Kind.allCases)
    func injection(kind: Message.Kind) async throws {
        let (mail, sms) = try await Self.words(kind, other: Self.evil)
        if let sms {
            #expect(!sms.body.contains("\n") && !sms.body.contains("\r") && !sms.body.contains("\u{2028}"))
        }
        guard let mail else { return }
        for line in mail.text.split(separator: "\n") {
            #expect(!line.hasPrefix("Bcc:") && !line.hasPrefix("More"), "\(line)")
        }
        #expect(!mail.html.contains("<script") && !mail.html.contains("\"' &"))
        let parsed = try await ParsedMail(MailTextTests.format.bytes(of: mail))
        #expect(parsed.defects.isEmpty && parsed.hasCleanLines && parsed.to.map(\.address) == ["a@b.co"])
        #expect(!parsed.fields.contains("Bcc"))
        if kind == .callDeclined {
            #expect(mail.text.contains("> No.\n> <script>alert(1)</script>\n> Bcc: victim@example.com"))
            #expect(mail.text.contains("👩‍💻") && mail.html.contains("👩‍💻"))
            #expect(mail.text.contains("{{code}}{{{link}}}"))
        }
    }

    @Test("A sign of markup with an accent over it is escaped as well")
    func accents() async throws {
        let mail = try #require(try await Self.words(.heroAccepted, other: "<\u{301}b \"\u{301} '\u{200D}x").mail)
        #expect(mail.html.contains("&lt;b &quot; &#39;x") && !mail.html.contains("\"\u{301}"))
    }

    @Test("Only what can be muted says where, in its field, its text and its HTML", arguments: Message.Kind.allCases)
    func settings(kind: Message.Kind) async throws {
        guard let mail = try await Self.words(kind).mail else { return }
        let place = "https://web.example/settings/notifications"
        let isMutable = kind == .callReminder
        #expect(mail.unsubscribe == (isMutable ? place : nil))
        #expect(mail.text.contains(place) == isMutable && mail.html.contains(place) == isMutable)
    }

    @Test("No HTML template leaves anything unescaped")
    func escaping() {
        for kind in Message.Kind.allCases {
            guard let html = MessageTemplates.files(of: kind).html else { continue }
            let text = String(decoding: html, as: UTF8.self)
            #expect(!text.contains("{{{") && !text.contains("{{&") && !text.contains("{{%"), "\(kind)")
        }
    }

    @Test("What a release without them sealed is still read: messages without a subject")
    func oldPayload() throws {
        let old = #"{"kind":"verify-phone","to":"2345678901","name":"Cam","code":"abc234"}"#
        let message = try JSONDecoder().decode(Message.self, from: Data(old.utf8))
        #expect(message == Message(kind: .verifyPhone, to: "2345678901", name: "Cam", code: "abc234"))
    }
}
