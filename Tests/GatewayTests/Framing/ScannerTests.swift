import Testing

@testable import GatewayService

@Suite struct HeadScannerTests {
    func scan(_ text: String, bytes: Int = 1000, fields: Int = 3) -> HeadScanner.Result {
        var scanner = HeadScanner(maximumBytes: bytes, maximumFields: fields)
        return Array(text.utf8).withUnsafeBytes { scanner.scan($0) }
    }

    @Test func aHeadEndsWithItsEmptyLine() {
        #expect(scan("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest") == .complete(length: 27, firstLine: 14))
        #expect(scan("GET / HTTP/1.1\r\n\r\n") == .complete(length: 18, firstLine: 14))
    }

    @Test func aHeadIsFoundHoweverItIsCut() {
        let text = Array("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nrest".utf8)
        var scanner = HeadScanner(maximumBytes: 1000, maximumFields: 3)
        var results: [HeadScanner.Result] = []
        for count in 1...text.count where results.last.map({ $0 == .incomplete }) ?? true {
            results.append(text.prefix(count).withUnsafeBytes { scanner.scan($0) })
        }
        #expect(results.last == .complete(length: 33, firstLine: 14))
        #expect(results.dropLast().allSatisfy { $0 == .incomplete })
    }

    @Test(arguments: [
        "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n", "\r\n", "\n",
    ])
    func lenientLineEndsAndContinuedLinesAreRefused(_ text: String) {
        #expect(scan(text) == .malformed)
    }

    @Test func limitsHold() {
        #expect(scan("GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\n\r\n") == .complete(length: 36, firstLine: 14))
        #expect(scan("GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\n\r\n") == .tooManyFields)
        #expect(scan(String(repeating: "x", count: 1001)) == .tooLarge)
        #expect(scan("GET / HTTP/1.1\r\n\(String(repeating: "x", count: 1000))\r\n\r\n") == .tooLarge)
    }
}

@Suite struct ChunkScannerTests {
    func scan(_ text: String) throws -> (consumed: Int, isDone: Bool) {
        var scanner = ChunkScanner()
        let consumed = try Array(text.utf8).withUnsafeBytes { try scanner.advance($0) }
        return (consumed, scanner.isDone)
    }

    @Test(arguments: [
        "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "A\r\n0123456789\r\n0\r\n\r\n", "1;x=y\r\na\r\n0\r\n\r\n",
        "1\r\na\r\n0\r\nDigest: x\r\n\r\n", "000001\r\na\r\n0\r\n\r\n",
    ])
    func aBodyEndsBehindItsTrailer(_ text: String) throws {
        let (consumed, isDone) = try scan(text + "GET / HTTP/1.1")
        #expect(isDone)
        #expect(consumed == text.utf8.count)
    }

    @Test func aBodyIsFollowedHoweverItIsCut() throws {
        let text = Array("5\r\nhello\r\n3;a\r\nabc\r\n0\r\nX: y\r\n\r\n".utf8)
        var scanner = ChunkScanner()
        for byte in text { #expect(try [byte].withUnsafeBytes { try scanner.advance($0) } == 1) }
        #expect(scanner.isDone)
    }

    @Test(arguments: [
        "\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "1\nab", "1\r\nab\r\n", "1\r\na\n", "123456789\r\n",
        "1 \r\na\r\n",
        "1\r\na\r\n0\r\n folded\r\n\r\n", "1;\n\r\n", "0\r\nX: y\n\r\n", "0\r\n\n",
    ])
    func whatIsNotQuiteChunkedIsRefused(_ text: String) {
        #expect(throws: ChunkScanner.Fault.malformed) { try scan(text) }
    }

    @Test func extensionsAndTrailersAreBounded() {
        #expect(throws: ChunkScanner.Fault.tooLarge) { try scan("1;" + String(repeating: "x", count: 5000)) }
        #expect(throws: ChunkScanner.Fault.tooLarge) { try scan("0\r\n" + String(repeating: "X: y\r\n", count: 2000)) }
    }
}
