import Foundation
import Logging
import ServiceKit
import Synchronization
import Testing

@Suite struct LogWriterTests {
    @Test func `lines from many tasks come out whole`() async throws {
        let lines = LogLines()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask { for line in 0..<500 { lines.writer.line { $0.writeString("\(task) \(line) end") } } }
            }
        }
        #expect(lines.lines.count == 4_000)
        #expect(Set(lines.lines).count == 4_000)
        #expect(lines.lines.allSatisfy { $0.hasSuffix(" end") })
    }

    @Test func `a reader that stands still costs lines and not memory`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let written = Mutex<[UInt8]>([])
        let writer = LogWriter { bytes in
            gate.wait()
            gate.signal()
            written.withLock { $0.append(contentsOf: bytes) }
        }
        let line = String(repeating: "x", count: 1023)
        for _ in 0..<(3 * LogWriter.limit / 1024) { writer.line { $0.writeString(line) } }
        gate.signal()
        writer.flush()
        let text = String(decoding: written.withLock { $0 }, as: UTF8.self)
        #expect(text.utf8.count < 2 * LogWriter.limit + 4096)
        #expect(text.contains("log lines dropped"))
    }

    @Test func `a line of swift-log is one JSON object`() throws {
        let lines = LogLines()
        var logger = Logger(label: "kit") { JSONLogHandler(label: $0, writer: lines.writer) }
        logger[metadataKey: "a"] = "\"q\"\n"
        logger.debug("hidden")
        logger.notice("said\u{1}", metadata: ["b": "2", "a": "given"])
        #expect(lines.lines.count == 1)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(lines.text.utf8)) as? [String: String])
        #expect(json["level"] == "notice")
        #expect(json["service"] == "kit")
        #expect(json["message"] == "said\u{1}")
        #expect(json["a"] == "given")
        #expect(json["b"] == "2")
        #expect(json["time"]?.utf8.count == 27)
    }
}
