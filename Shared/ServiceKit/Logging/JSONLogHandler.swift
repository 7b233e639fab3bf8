import Logging
import NIOCore

/// Writes swift-log's lines as JSON, one object a line.
public struct JSONLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let writer: LogWriter

    /// - Parameters:
    ///   - label: the process or the part of it; `service` in the lines.
    ///   - level: lines below it are not written.
    ///   - writer: where the lines go.
    public init(label: String, level: Logger.Level = .info, writer: LogWriter = .standardError) {
        self.label = label
        self.logLevel = level
        self.writer = writer
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let time = WallClock.microseconds
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let given = event.metadata { merged.merge(given) { $1 } }
        // What is the caller's to describe is described before the lock is taken.
        let members = merged.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        let error = event.error.map { String(describing: $0) }
        let message = event.message.description
        writer.line { line in
            Self.start(&line, time: time, level: event.level.rawValue, service: label)
            Self.member("message", message, &line)
            if let error { Self.member("error", error, &line) }
            for (name, value) in members where !(name == "error" && error != nil) { Self.member(name, value, &line) }
            line.writeStaticString("}")
        }
    }

    /// The members that every line begins with.
    static func start(_ line: inout ByteBuffer, time: Int64, level: String, service: String) {
        line.writeStaticString("{\"time\":\"")
        RFC3339.write(microseconds: time, into: &line)
        line.writeStaticString("\",\"level\":\"")
        line.writeString(level)
        line.writeStaticString("\",\"service\":")
        JSONText.write(service, into: &line)
    }

    private static func member(_ name: String, _ value: String, _ line: inout ByteBuffer) {
        line.writeStaticString(",")
        JSONText.write(name, into: &line)
        line.writeStaticString(":")
        JSONText.write(value, into: &line)
    }
}
