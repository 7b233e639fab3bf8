import Foundation
import TestKit

/// A mail as another implementation reads it: Python's email package, which names every defect that it finds.
struct ParsedMail: Decodable {
    struct Mailbox: Decodable, Equatable {
        var name: String
        var address: String
    }

    struct Part: Decodable, Equatable {
        var type: String
        var charset: String?
        var encoding: String?
        var content: String
    }

    var from: [Mailbox]
    var to: [Mailbox]
    var subject: String
    /// ISO 8601.
    var date: String
    var type: String
    /// The names of all fields, in order.
    var fields: [String]
    var parts: [Part]
    var defects: [String]
    /// The lines of the header section, unfolded nowhere, without their ends.
    var headerLines: [String]
    /// Whether every line ends in CRLF and no other CR or LF is there.
    var hasCleanLines: Bool
    var longestLine: Int

    init(_ bytes: [UInt8]) async throws {
        let file = try await temporaryFolder("mail").appendingPathComponent("1.eml")
        try Data(bytes).write(to: file)
        let output = try await run(["python3", "-c", Self.script, file.path])
        self = try JSONDecoder().decode(ParsedMail.self, from: Data(output.utf8))
    }

    private static let script = """
        import email, email.header, email.policy, email.utils, json, sys
        raw = open(sys.argv[1], "rb").read()
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        defects = []
        for part in mail.walk():
            defects += [str(d) or type(d).__name__ for d in part.defects]
            for value in part.values():
                defects += [str(d) or type(d).__name__ for d in getattr(value, "defects", [])]
        # Names word by word, as RFC 2047 has them: this package's newer parser leaves blanks between the words.
        plain = email.message_from_bytes(raw)
        decoded = lambda text: str(email.header.make_header(email.header.decode_header(text)))
        boxes = lambda name: [{"name": decoded(n), "address": a} for n, a in email.utils.getaddresses(plain.get_all(name))]
        head = raw.split(b"\\r\\n\\r\\n", 1)[0].split(b"\\r\\n")
        rest = raw.replace(b"\\r\\n", b"")
        print(json.dumps({
            "from": boxes("From"), "to": boxes("To"), "subject": str(mail["Subject"]),
            "date": mail["Date"].datetime.isoformat(), "type": mail.get_content_type(), "fields": mail.keys(),
            "parts": [{"type": p.get_content_type(), "charset": p.get_content_charset(),
                       "encoding": p["Content-Transfer-Encoding"], "content": p.get_content().replace("\\r\\n", "\\n")}
                      for p in mail.iter_parts()],
            "defects": defects, "headerLines": [line.decode("ascii", "replace") for line in head],
            "hasCleanLines": b"\\r" not in rest and b"\\n" not in rest and raw.endswith(b"\\r\\n"),
            "longestLine": max(len(line) for line in raw.split(b"\\r\\n"))}))
        """
}
