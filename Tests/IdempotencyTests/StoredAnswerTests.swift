import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import Idempotency

@Suite struct StoredAnswerTests {
    @Test func `Status, fields and body come back as they were`() async throws {
        var response = Response(
            status: .created, headers: [.contentType: "text/plain", .location: "/a"],
            body: .init(contentsOf: [ByteBuffer(string: "one "), ByteBuffer(string: "two")]))
        response.headers.append(.init(name: .vary, value: "a"))
        response.headers.append(.init(name: .vary, value: "b"))
        let answer = try await StoredAnswer(response)
        #expect(String(buffer: answer.body) == "one two")
        #expect(StoredAnswer(bytes: answer.bytes) == answer)
        #expect(answer.response.headers == response.headers)
        let empty = try await StoredAnswer(Response(status: .ok))
        #expect(StoredAnswer(bytes: empty.bytes) == empty)
    }

    @Test func `Bytes that are no answer give none`() async throws {
        let bytes = try await StoredAnswer(Response(status: .ok, headers: [.contentType: "text/plain"])).bytes
        for length in 0..<(bytes.count) {
            #expect(StoredAnswer(bytes: Array(bytes.prefix(length))) == nil, "\(length)")
        }
        #expect(StoredAnswer(bytes: [2] + bytes.dropFirst()) == nil)
        #expect(StoredAnswer(bytes: [1, 0, 200, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]) == nil)
    }
}
