/// The code that a mail server's reply may begin with after its three digits (RFC 3463, section 2; RFC 2034).
enum EnhancedStatus {
    /// `5.1.1` of `550 5.1.1 <somebody@example.com>: no such user`; nil when there is none.
    static func inReply(_ line: some Collection<UInt8>) -> String? {
        let word = line.dropFirst(4).prefix { $0 > UInt8(ascii: " ") }
        let parts = word.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 1, parts.allSatisfy({ (1...3).contains($0.count) }),
            parts.allSatisfy({ $0.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } })
        else { return nil }
        return String(decoding: word, as: UTF8.self)
    }
}
