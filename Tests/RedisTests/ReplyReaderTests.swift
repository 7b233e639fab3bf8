import NIOCore
import Testing

@testable import Redis

@Suite struct ReplyReaderTests {
    private func read(_ text: String, step: Int = .max, maxBytes: Int = 1 << 20) throws -> [RESPValue] {
        let reader = try #require(ReplyReader(maxBytes: maxBytes))
        var replies: [RESPValue] = []
        var rest = ByteBuffer(string: text)
        while let part = rest.readSlice(length: min(step, rest.readableBytes)), part.readableBytes > 0 {
            try reader.feed(part) {
                replies.append($0)
                return true
            }
        }
        return replies
    }

    /// What reading it threw.
    private func code(_ text: String, maxBytes: Int = 1 << 20) -> RedisError.Code? {
        do {
            _ = try read(text, maxBytes: maxBytes)
            return nil
        } catch {
            return (error as? RedisError)?.code
        }
    }

    @Test(arguments: [1, 2, 7, .max])
    func everyKindOfReplyIsReadHoweverItIsCut(_ step: Int) throws {
        let text =
            "+OK\r\n-WRONGTYPE no\r\n:-42\r\n$5\r\na\r\n\0b\r\n$-1\r\n*-1\r\n$0\r\n\r\n*0\r\n"
            + "*3\r\n*2\r\n:1\r\n*1\r\n+x\r\n-ERR in\r\n*0\r\n:9223372036854775807\r\n"
        let expected: [RESPValue] = [
            .simple("OK"), .error(RedisServerError(message: "WRONGTYPE no")), .integer(-42),
            .bulk(ByteBuffer(string: "a\r\n\0b")), .null, .null, .bulk(ByteBuffer()), .array([]),
            .array([
                .array([.integer(1), .array([.simple("x")])]), .error(RedisServerError(message: "ERR in")), .array([]),
            ]),
            .integer(.max),
        ]
        #expect(try read(text, step: step) == expected)
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0\r\n", ":abc\r\n", ":99999999999999999999\r\n", "$-7\r\n",
        "*-5\r\n",
        "$99999999999999999999999\r\n", "*99999999999\r\n", "%1\r\n", "\u{16}\u{3}\u{1}",
    ])
    func garbageIsAnErrorAndNoTrap(_ text: String) {
        #expect(code(text) == .protocolViolation)
    }

    @Test func arraysNestedDeeperThanHiredisGoesAreAnError() {
        #expect(code(String(repeating: "*1\r\n", count: 100_000)) == .protocolViolation)
    }

    @Test func aClaimOfTwoThousandMillionElementsReservesNothing() throws {
        #expect(try read("*2147483647\r\n:1\r\n").isEmpty)
        #expect(try read("$9223372036854775807\r\nabc").isEmpty)
        #expect(try read("*2\r\n$2147483647\r\nabc").isEmpty)
    }

    @Test func aReplyLargerThanTheBoundIsAnError() {
        let one = "$1000\r\n" + String(repeating: "x", count: 1000) + "\r\n"
        #expect(code("*500\r\n" + String(repeating: one, count: 500), maxBytes: 100_000) == .protocolViolation)
        let large = "$500000\r\n" + String(repeating: "x", count: 500_000)
        #expect(code(large, maxBytes: 100_000) == .protocolViolation)
        let numbers = "*1000000\r\n" + String(repeating: ":1\r\n", count: 100_000)
        #expect(code(numbers, maxBytes: 100_000) == .protocolViolation)
    }

    @Test func aLineWithoutEndIsAnErrorLongBeforeTheBound() {
        for head in ["+", "-", ":1", "$1", "*"] {
            #expect(code(head + String(repeating: "1", count: 200_000)) == .protocolViolation)
        }
    }

    @Test func manySmallRepliesInOneReadAreAllRead() throws {
        let replies = try read(String(repeating: "$3\r\nabc\r\n", count: 50_000))
        #expect(replies.count == 50_000)
        #expect(replies.allSatisfy { $0.string == "abc" })
    }

    @Test func readingStopsWhenTheReceiverSaysSo() throws {
        let reader = try #require(ReplyReader(maxBytes: 1000))
        var count = 0
        try reader.feed(ByteBuffer(string: ":1\r\n:2\r\n:3\r\n")) { _ in
            count += 1
            return count < 2
        }
        #expect(count == 2)
    }
}
