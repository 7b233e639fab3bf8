import ServiceKit
import Testing

@testable import AccountsService

@Suite("Settings of mail and SMS")
struct TransportSettingsTests {
    private static func route(mail: String? = nil, sms: String? = nil) throws -> (MailRoute, SMSRoute) {
        var reader = SettingsReader(
            environment: ["MAIL_URL": mail, "SMS_URL": sms].compactMapValues { $0 })
        let mail = reader.mailRoute(folder: "home/mail")
        let sms = reader.smsRoute(folder: "home/sms")
        return try reader.finish(mail, sms)
    }

    @Test("Files are what there is without a setting")
    func files() throws {
        #expect(try Self.route() == (.file("home/mail"), .file("home/sms")))
        #expect(try Self.route(mail: "file:", sms: "file:") == (.file("home/mail"), .file("home/sms")))
        #expect(try Self.route(mail: "file:/a/b/", sms: "file:///c") == (.file("/a/b"), .file("/c")))
    }

    private static func server(_ text: String) throws -> SMTPServer {
        guard case .smtp(let server) = try route(mail: text).0 else { throw TestFailure("no server") }
        return server
    }

    @Test("A mail server: TLS unless a test says otherwise, and escapes in the password")
    func smtp() throws {
        let server = try Self.server("smtp://me%40here:p%3Aa%2Fs+s@mail.example:2525?starttls=required")
        #expect(server.host == "mail.example" && server.port == 2525 && server.security == .required)
        #expect(server.login == .init(user: "me@here", password: "p:a/s+s"))
        #expect(try Self.server("smtp://mail.example").security == .required)
        #expect(try Self.server("smtp://mail.example/").port == 587)
        #expect(try Self.server("SMTPS://mail.example").port == 465)
        #expect(try Self.server("smtps://mail.example").security == .implicit)
        #expect(try Self.server("smtp://[::1]:25?starttls=none").host == "[::1]")
        #expect(try Self.server("smtp://u:p@127.0.0.1:25?starttls=none").security == .none)
        #expect(try Self.server("smtp://mail.example?starttls=optional&connections=9").connections == 9)
        #expect(try Self.server("smtps://mail.example?timeout=900&ca=/etc/ca.pem").timeout == .seconds(900))
    }

    @Test(
        "Anything else is a fault, and the value isn't told",
        arguments: [
            "smtp:", "smtp://", "http://mail.example", "smtp://mail.example:0", "smtp://mail.example:99999",
            "smtp://mail.example/path", "smtp://u@mail.example", "smtp://u:%zz@mail.example", "smtp://:p@mail.example",
            "smtp://u:%0d%0a@mail.example", "smtp://mail.example?starttls=no", "smtp://mail.example?startls=required",
            "smtps://mail.example?starttls=none", "smtp://u:hunter2@mail.example?starttls=none",
            "smtp://u:hunter2@mail.example?starttls=optional", "smtp://mail.example?connections=0",
            "smtp://mail.example?timeout=1", "smtp://mail.example?starttls=none&starttls=none", "smtp://a b",
            "smtp://u:%+1@mail.example",
        ])
    func noSMTP(text: String) throws {
        let faults = #expect(throws: SettingsFaults.self) { try Self.route(mail: text) }
        #expect(faults?.faults.count == 1 && faults?.description.contains("hunter2") == false)
        #expect(faults?.description.hasPrefix("settings: MAIL_URL must be file:<folder>, smtp://") == true)
    }

    @Test("Twilio: a plus sign is one, and the base address can be another")
    func twilio() throws {
        guard case .twilio(let account) = try Self.route(sms: "twilio://AC1:tok@api.twilio.com?from=+15005550006").1
        else { throw TestFailure("no account") }
        #expect(account.sid == "AC1" && account.token == "tok" && account.from == "+15005550006")
        #expect(account.baseURL == "https://api.twilio.com")
        let other = "twilio://AC1:tok@api.twilio.com?from=%2B15005550006&base=http://127.0.0.1:99/"
        guard case .twilio(let account) = try Self.route(sms: other).1 else { throw TestFailure("no account") }
        #expect(account.baseURL == "http://127.0.0.1:99" && account.from == "+15005550006")
    }

    @Test(
        "No account at Twilio",
        arguments: [
            "twilio://api.twilio.com?from=+15005550006", "twilio://AC1@api.twilio.com?from=+15005550006",
            "twilio://AC1:hunter2@api.twilio.com", "twilio://AC1:hunter2@api.twilio.com?from=15005550006",
            "twilio://AC1:hunter2@api.twilio.com?from=+1500555000x",
            "twilio://A/1:hunter2@api.twilio.com?from=+15005550006",
            "twilio://AC1:hunter2@api.twilio.com?from=+15005550006&base=ftp://x",
            "twilio://AC1:hunter2@api.twilio.com?from=+15005550006&bas=http://x", "sms://x",
        ])
    func noTwilio(text: String) throws {
        let faults = #expect(throws: SettingsFaults.self) { try Self.route(sms: text) }
        #expect(faults?.faults.count == 1 && faults?.description.contains("hunter2") == false)
    }

    @Test("No password is in a description")
    func secrets() throws {
        let server = try Self.server("smtps://user:hunter2@mail.example")
        let account = try #require(TwilioAccount("twilio://AC1:hunter2@api.twilio.com?from=+15005550006"))
        for text in ["\(server)", String(reflecting: server), "\(account)", String(reflecting: account)] {
            #expect(!text.contains("hunter2"))
        }
        #expect(!"\(MailRoute.smtp(server)) \(SMSRoute.twilio(account))".contains("hunter2"))
    }
}
