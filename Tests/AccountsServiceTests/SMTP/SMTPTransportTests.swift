import CCurl
import Foundation
import ServiceLifecycle
import Testing

@testable import AccountsService

@Suite("Mail by SMTP")
struct SMTPTransportTests {
    static func server(_ server: MailServer, _ parameters: String, scheme: String = "smtp", login: String = "") throws
        -> SMTPServer
    {
        let text = "\(scheme)://\(login)127.0.0.1:\(server.port)\(parameters)"
        guard let address = SMTPServer(text) else { throw TestFailure("no server: \(text)") }
        return address
    }

    private static func transport(
        _ server: MailServer, _ parameters: String = "?starttls=none", scheme: String = "smtp", login: String = ""
    ) throws -> Transport<Mail> {
        SMTPTransport(
            try Self.server(server, parameters, scheme: scheme, login: login), MailTextTests.format
        ).transport
    }

    private static func failure(_ transport: Transport<Mail>, _ mail: Mail) async -> DeliveryFailure? {
        do {
            try await transport.send(mail)
            return nil
        } catch {
            return error as? DeliveryFailure ?? DeliveryFailure(reason: "\(error)", isPermanent: true)
        }
    }

    private static func mail(_ to: String = "ok-1@example.com") -> Mail { MailTextTests.mail(to: to) }

    // MARK: What arrives

    @Test("A mail arrives to the last byte, dots at the beginning of a line too, from and to whom it should")
    func arrives() async throws {
        let server = try await MailServer.start()
        let transport = try Self.transport(server)
        let texts = [
            ".\n..\n.a\n\n.\n", "no end of line", "Grüße\n.\n" + String(repeating: "ü", count: 2000), "",
            String(repeating: ".", count: 990) + "\n" + String(repeating: ".\n", count: 20_000),
        ]
        for (number, text) in texts.enumerated() {
            var mail = MailTextTests.mail(to: "ok-\(number)@example.com", text: text)
            mail.delivery = .test(Int64(number))
            try await transport.send(mail)
            let accepted = try #require(try server.entries("accepted").last)
            #expect(accepted.to == mail.to && accepted.from == "no-reply@techheroes.example")
            let content = try #require(Data(base64Encoded: accepted.content ?? ""))
            #expect(Array(content) == MailTextTests.format.bytes(of: mail))
            #expect(try await ParsedMail(Array(content)).defects.isEmpty)
        }
        #expect(try server.entries("accepted").count == texts.count)
    }

    @Test("Connections are used again, no more than may be open at once, and closed politely in the end")
    func connections() async throws {
        let server = try await MailServer.start()
        let transport = try Self.transport(server, "?starttls=none&connections=3")
        #expect(transport.width == 3)
        let group = ServiceGroup(
            configuration: .init(services: transport.services.map { .init(service: $0) }, logger: Deliveries.logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await withThrowingTaskGroup(of: Void.self) { sends in
                for number in 0..<60 {
                    sends.addTask { try await transport.send(Self.mail("ok-\(number)@example.com")) }
                }
                try await sends.waitForAll()
            }
            #expect(try server.entries("accepted").count == 60)
            let connections = try server.entries("connect").count - 1  // Ours, that saw whether it listens.
            #expect((1...3).contains(connections), "\(connections)")
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            #expect(try server.entries("quit").count == connections)
        }
    }

    @Test("A connection that the server closed meanwhile is noticed, and another one made")
    func staleConnection() async throws {
        let server = try await MailServer.start()
        let transport = try Self.transport(server, "?starttls=none&connections=1")
        try await transport.send(Self.mail("ok-1@example.com"))
        let again = try await server.restart()
        try await transport.send(Self.mail("ok-2@example.com"))
        #expect(try again.entries("accepted").count == 2)
    }

    // MARK: What is refused

    static let replies: [(String, DeliveryFailure?)] = [
        ("ok", nil), ("slow", nil),
        ("rcpt550", DeliveryFailure(reason: "smtp 550 5.1.1", isPermanent: true)),
        ("rcpt553", DeliveryFailure(reason: "smtp 553 5.1.1", isPermanent: true)),
        ("rcpt450", DeliveryFailure(reason: "smtp 450 4.1.1", isPermanent: false)),
        ("rcpt421", DeliveryFailure(reason: "smtp 421 4.1.1", isPermanent: false)),
        ("data554", DeliveryFailure(reason: "smtp 554 5.7.1", isPermanent: true)),
        ("data552", DeliveryFailure(reason: "smtp 552 5.7.1", isPermanent: true)),
        ("data451", DeliveryFailure(reason: "smtp 451 4.7.1", isPermanent: false)),
    ]

    @Test("A reply says whether to try again, and only its digits are told", arguments: replies)
    func classification(word: String, expected: DeliveryFailure?) async throws {
        let server = try await MailServer.start()
        let transport = try Self.transport(server)
        #expect(await Self.failure(transport, Self.mail("\(word)-1@example.com")) == expected)
        // A refusal of one mail is no hindrance to the next.
        #expect(await Self.failure(transport, Self.mail("ok-2@example.com")) == nil)
        let kept = try server.entries("accepted").compactMap(\.to)
        #expect(kept == (expected == nil ? ["\(word)-1@example.com"] : []) + ["ok-2@example.com"])
    }

    @Test(
        "What breaks off is tried again: a closed connection, silence, nobody there",
        arguments: ["droprcpt", "dropdata"])
    func broken(word: String) async throws {
        let server = try await MailServer.start()
        let transport = try Self.transport(server)
        let failure = try #require(await Self.failure(transport, Self.mail("\(word)-1@example.com")))
        #expect(!failure.isPermanent && failure.reason.hasPrefix("smtp: ") && !failure.reason.contains("example.com"))
        #expect(await Self.failure(transport, Self.mail("ok-2@example.com")) == nil)
        try await server.stop()
        let refused = try #require(await Self.failure(transport, Self.mail("ok-3@example.com")))
        #expect(!refused.isPermanent && refused.reason.hasPrefix("smtp: "))
        #expect(try server.entries("accepted").compactMap(\.to) == ["ok-2@example.com"])
    }

    @Test("Nobody is waited for longer than is set")
    func timeout() async throws {
        let server = try await MailServer.start()
        var address = try Self.server(server, "?starttls=none")
        address.timeout = .milliseconds(500)
        let transport = SMTPTransport(address, MailTextTests.format).transport
        #expect(transport.longestTry == .milliseconds(500))
        let began = ContinuousClock.now
        let failure = try #require(await Self.failure(transport, Self.mail("silent-1@example.com")))
        #expect(!failure.isPermanent && failure.reason == "smtp: Timeout was reached")
        #expect(ContinuousClock.now - began < .seconds(5))
    }

    @Test("A reply is the reason only where it is why libcurl gave up")
    func stale() {
        func failure(_ code: CURLcode, _ reply: Int) -> DeliveryFailure? {
            SMTPTransport.failure(.init(code: code, reply: reply))
        }
        #expect(failure(CURLE_OK, 250) == nil)
        #expect(failure(CURLE_SEND_ERROR, 550)?.isPermanent == true)
        #expect(failure(CURLE_SEND_ERROR, 354)?.isPermanent == false)
        #expect(failure(CURLE_RECV_ERROR, 502)?.isPermanent == false)
        #expect(failure(CURLE_OPERATION_TIMEDOUT, 550)?.isPermanent == false)
        #expect(failure(CURLE_SEND_ERROR, 999)?.isPermanent == false)
    }

    @Test(
        "Enhanced codes are digits and nothing else",
        arguments: [
            ("550 5.1.1 no", "5.1.1"), ("550-5.10.123 no", "5.10.123"), ("250 2.0.0", "2.0.0"), ("550 no", nil),
            ("550 5.1 no", nil), ("550 a@b.c no", nil), ("550 5.1.1234 no", nil), ("550", nil), ("", nil),
            ("550 5.1.1.1 no", nil), ("550 5..1 no", nil),
        ])
    func enhanced(line: String, expected: String?) {
        #expect(EnhancedStatus.inReply(Array(line.utf8)) == expected)
    }

    // MARK: TLS

    @Test("Where STARTTLS is required, a server without it gets no password and no mail")
    func required() async throws {
        let server = try await MailServer.start(login: "me:hunter2")
        let transport = try Self.transport(server, "?starttls=required", login: "me:hunter2@")
        let failure = try #require(await Self.failure(transport, Self.mail()))
        #expect(!failure.isPermanent && failure.reason == "smtp: Requested SSL level failed")
        #expect(try server.entries.allSatisfy { $0.what == "connect" })
        // Where it is optional, the same server will do.
        let optional = try Self.transport(server, "?starttls=optional", login: "me:hunter2@")
        #expect(await Self.failure(optional, Self.mail()) == nil)
        #expect(try server.entries("login").map(\.text) == ["PLAIN True False"])
    }

    @Test("With STARTTLS, and with TLS from the start, mail arrives at whom the certificate vouches for")
    func encrypted() async throws {
        for (mode, scheme, parameters) in [
            (MailServer.Mode.startTLS, "smtp", "?starttls=required"), (.startTLS, "smtp", "?starttls=optional"),
            (.implicitTLS, "smtps", "?connections=4"),
        ] {
            let server = try await MailServer.start(mode, login: "me:p w%")
            let trusting = "\(parameters)&ca=\(server.certificate)"
            let transport = try Self.transport(server, trusting, scheme: scheme, login: "me:p%20w%25@")
            #expect(await Self.failure(transport, Self.mail()) == nil)
            #expect(try server.entries("login").map(\.text) == ["PLAIN True True"])

            // Nobody vouches for it: nothing is sent.
            let before = try server.entries("mail").count
            let other = try Self.transport(server, parameters, scheme: scheme, login: "me:p%20w%25@")
            let failure = try #require(await Self.failure(other, Self.mail()))
            #expect(!failure.isPermanent && failure.reason.contains("certificate"), "\(failure)")
            #expect(try server.entries("mail").count == before && server.entries("login").count == 1)
        }
    }

    @Test("A password that is refused is a refusal")
    func login() async throws {
        let server = try await MailServer.start(login: "me:right")
        let transport = try Self.transport(server, "?starttls=none", login: "me:wrong@")
        #expect(
            await Self.failure(transport, Self.mail())
                == DeliveryFailure(reason: "smtp 535 5.7.8", isPermanent: true))
    }
}
