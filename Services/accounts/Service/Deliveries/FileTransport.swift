import AccountsDomain
import NIOCore
import NIOPosix
import Postgres
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes messages into folders instead of sending them: `<n>.eml` for mail, `<n>.json` for SMS.
///
/// The number is the delivery's own, so that no two processes ever write the same file, and a try after a crash writes
/// the one that it should have been. Each file is written whole under another name and then renamed.
enum FileTransport {
    /// Mail, for a folder of its own.
    static func mail(_ folder: String, _ format: MailText) -> Transport<Mail> {
        Transport(width: 8, longestTry: .seconds(30)) {
            try await write(format.bytes(of: $0), to: folder, "\($0.delivery.number).eml")
        }
    }

    /// Text messages, for a folder of their own.
    static func sms(_ folder: String) -> Transport<SMS> {
        Transport(width: 8, longestTry: .seconds(30)) {
            try await write(json($0), to: folder, "\($0.delivery.number).json")
        }
    }

    private static func json(_ sms: SMS) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.field("to", sms.to)
            json.field("body", sms.body)
            json.field("sent_at", microseconds: sms.date.microseconds)
        }
        return Array(json.buffer.readableBytesView)
    }

    private static func write(_ bytes: [UInt8], to folder: String, _ name: String) async throws {
        try await NIOThreadPool.singleton.runIfActive { try write(bytes, folder, name) }
    }

    /// Blocks.
    private static func write(_ bytes: [UInt8], _ folder: String, _ name: String) throws {
        try makeFolder(folder)
        let temporary = "\(folder)/.\(name).\(UUID().uuidString)"
        // Codes are nobody else's business.
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("open") }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                let failure = failure("write")
                unlink(temporary)
                throw failure
            }
            rest = rest.dropFirst(count)
        }
        guard rename(temporary, "\(folder)/\(name)") == 0 else {
            let failure = failure("rename")
            unlink(temporary)
            throw failure
        }
    }

    private static func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw failure("mkdir")
        }
        try makeFolder(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("mkdir") }
    }

    private static func failure(_ call: String) -> DeliveryFailure {
        DeliveryFailure(reason: "\(call): errno \(errno)", isPermanent: false)
    }
}
