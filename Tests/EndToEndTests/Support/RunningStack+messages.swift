import Foundation
import TestKit

extension RunningStack {
    /// The newest code of a kind that a mail to the address holds: `verify-email` or `reset-password`.
    func mailedCode(_ kind: String, to address: String) async throws -> String {
        let link = "https://web.example/\(kind)/"
        return try await eventually("a mail with \(kind) to its reader") {
            self.mails(to: address).compactMap { mail in
                mail.range(of: link).map { mail[$0.upperBound...].prefix { $0.isLetter || $0.isNumber } }
            }.last.map(String.init)
        }
    }

    /// The mails to an address, the oldest first, with lines joined that quoted-printable broke.
    func mails(to address: String) -> [String] {
        messages("mail").filter { $0.lowercased().contains("to: \(address)") || $0.contains("<\(address)>") }
            .map { mail in
                // RFC 2045, section 6.7.
                mail.replacingOccurrences(of: "=\r\n", with: "").replacingOccurrences(of: "=\n", with: "")
            }
    }

    /// The newest code sent to a number.
    func textedCode(to phone: String) async throws -> String {
        try await eventually("a text message to its reader") {
            self.texts(to: phone).compactMap { body in
                body.split { !($0.isLetter || $0.isNumber) }
                    .last { $0.count == 6 && $0.allSatisfy { $0.isNumber || $0.isLowercase } }
                    .map(String.init)
            }.last
        }
    }

    /// The text messages to a number, the oldest first.
    func texts(to phone: String) -> [String] {
        messages("sms").filter { $0.contains(phone) }.compactMap { message in
            (try? JSONSerialization.jsonObject(with: Data(message.utf8)) as? [String: Any])?["body"] as? String
        }
    }

    /// The messages of a folder, the oldest first.
    func messages(_ kind: String) -> [String] {
        let folder = folder.appendingPathComponent(kind)
        let files =
            (try? FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: [.contentModificationDateKey])) ?? []
        let written = files.filter { ["eml", "json"].contains($0.pathExtension) }.map { file in
            let values = try? file.resourceValues(forKeys: [.contentModificationDateKey])
            return (file, values?.contentModificationDate ?? .distantPast)
        }
        return written.sorted { $0.1 < $1.1 }.compactMap { try? String(contentsOf: $0.0, encoding: .utf8) }
    }
}
