import AccountsDomain
import Foundation
import Testing

@testable import AccountsService

@Suite("Messages in words")
struct MessageTemplatesTests {
    static let now = Instant(microseconds: 1_479_311_756_179_930)

    @Test("A link is https, on the web client's host, with the code")
    func links() throws {
        let templates = try MessageTemplates(webDomain: "web.example:8443")
        for kind in [Message.Kind.verifyEmail, .resetPassword] {
            let message = Message(kind: kind, to: "a@b.co", name: "Cam Newton", code: "abcd234567")
            let mail = try #require(templates.mail(message, .test(1), written: Self.now, clock: .utc))
            for body in [mail.text, mail.html] {
                #expect(body.contains("https://web.example:8443/\(kind.rawValue)/abcd234567"))
            }
            #expect(!mail.subject.isEmpty && !mail.text.contains("{{") && !mail.html.contains("{{"))
            #expect(templates.sms(message, .test(1), at: Self.now, clock: .utc) == nil)
        }
    }

    @Test("An SMS is one line that holds the six characters")
    func sms() throws {
        let message = Message(kind: .verifyPhone, to: "2345678901", name: "Cam", code: "abc234")
        let sms = try #require(
            MessageTemplates(webDomain: "web.example").sms(message, .test(3), at: Self.now, clock: .utc))
        #expect(sms.to == "2345678901" && sms.delivery.number == 3 && sms.body.contains("abc234"))
        #expect(!sms.body.contains("\n") && sms.body.utf8.count <= 160)
    }

    @Test("A name is text: no markup in HTML, no template of its own, no line of its own")
    func names() throws {
        let templates = try MessageTemplates(webDomain: "web.example")
        let name = "<b>Cam</b> & {{code}} {{{link}}}\r\nhttps://evil.example/"
        let message = Message(kind: .resetPassword, to: "a@b.co", name: name, code: "abcd2345")
        let mail = try #require(templates.mail(message, .test(1), written: Self.now, clock: .utc))
        #expect(!mail.html.contains("<b>") && mail.html.contains("&lt;b&gt;Cam"))
        #expect(mail.text.contains("Hello <b>Cam</b> & {{code}} {{{link}}} https://evil.example/,\n"))
        #expect(mail.text.components(separatedBy: "abcd2345").count == 2)
    }
}
