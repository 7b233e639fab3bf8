import AccountsDomain
import Foundation
import ServiceKit
import TestKit
import Testing

@testable import AccountsService

@Suite("Messages as files")
struct FileTransportTests {
    private static func transport(_ folder: URL) -> (transports: Transports, mail: String, sms: String) {
        let (mail, sms) = (folder.path + "/deep/down/mail", folder.path + "/sms")
        let transports = Transports(
            mail: FileTransport.mail(mail, MailTextTests.format), sms: FileTransport.sms(sms))
        return (transports, mail, sms)
    }

    @Test("A mail becomes <n>.eml and an SMS <n>.json, readable to their owner alone")
    func files() async throws {
        let (transports, mail, sms) = Self.transport(try await temporaryFolder("files"))
        try await transports.mail.send(MailTextTests.mail())
        let body = "Your \"code\" is\nabc234 ✓"
        try await transports.sms.send(
            SMS(delivery: .test(12), to: "2345678901", body: body, date: Instant(microseconds: 1_479_311_756_179_930)))
        #expect(try FileManager.default.contentsOfDirectory(atPath: mail) == ["7.eml"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: sms) == ["12.json"])
        let parsed = try await ParsedMail([UInt8](Data(contentsOf: URL(fileURLWithPath: mail + "/7.eml"))))
        #expect(parsed.defects.isEmpty && parsed.to.map(\.address) == ["cam@example.com"])
        let text = try Data(contentsOf: URL(fileURLWithPath: sms + "/12.json"))
        let json = try #require(JSONSerialization.jsonObject(with: text) as? [String: String])
        #expect(json == ["to": "2345678901", "body": body, "sent_at": "2016-11-16T15:55:56.179930Z"])
        for path in [mail + "/7.eml", sms + "/12.json"] {
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test("A reader only ever sees whole files, also when one is written again")
    func whole() async throws {
        let (transports, mail, _) = Self.transport(try await temporaryFolder("whole"))
        let long = String(repeating: "A line of a long text, as nobody would write it.\n", count: 20_000)
        let isOver = Locked(false)
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                var read = 0
                while !isOver.withLock({ $0 }) {
                    for name in (try? FileManager.default.contentsOfDirectory(atPath: mail)) ?? []
                    where name.hasSuffix(".eml") {
                        let text = try Data(contentsOf: URL(fileURLWithPath: "\(mail)/\(name)"))
                        #expect(text.starts(with: Data("From: ".utf8)) && text.suffix(4) == Data("--\r\n".utf8))
                        read += 1
                    }
                    await Task.yield()
                }
                return read
            }
            for _ in 0..<20 {
                var message = MailTextTests.mail(text: long)
                for number: Int64 in [1, 2] {
                    message.delivery.number = number
                    try await transports.mail.send(message)
                }
            }
            isOver.withLock { $0 = true }
            #expect(try await group.next() ?? 0 > 0)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: mail).sorted() == ["1.eml", "2.eml"])
    }

    @Test("A folder that can't be made, or written to, is a failure that may pass, and nothing is left behind")
    func failures() async throws {
        let folder = try await temporaryFolder("failures")
        try Data().write(to: folder.appendingPathComponent("sms"))
        let (transports, mail, _) = Self.transport(folder)
        let sms = SMS(delivery: .test(1), to: "2345678901", body: "x", date: Instant(microseconds: 0))
        await Self.expectPassing { try await transports.sms.send(sms) }
        // A folder where the file should be.
        try FileManager.default.createDirectory(atPath: mail + "/7.eml", withIntermediateDirectories: true)
        await Self.expectPassing { try await transports.mail.send(MailTextTests.mail()) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: mail) == ["7.eml"])
        try FileManager.default.removeItem(atPath: mail + "/7.eml")
        try await transports.mail.send(MailTextTests.mail())
    }

    private static func expectPassing(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("no failure")
        } catch let failure as DeliveryFailure {
            #expect(!failure.isPermanent && failure.reason.contains("errno"))
            #expect(!failure.reason.contains("/tmp"))
        } catch {
            Issue.record("\(error)")
        }
    }
}
