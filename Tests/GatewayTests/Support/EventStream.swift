import Foundation
import NIOCore

@testable import GatewayService

/// A stream of events as a client reads it (HTML Standard, 9.2.6).
final class EventStream: Sendable {
    let connection: RawConnection
    let head: RawHead
    /// The `id` that it began with.
    let firstID: String?

    /// One block of lines.
    struct Block: Sendable {
        var id: String?
        var event: String?
        var data: String?
        var comments = 0
        var retry: String?

        /// What dispatches an event.
        var isEvent: Bool { data != nil }

        var json: [String: Any] {
            data.flatMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] } ?? [:]
        }

        /// What happened to whom: the place in its ledger is the subject of a test's events.
        var subject: String? { json["subject"] as? String }
    }

    fileprivate init(connection: RawConnection, head: RawHead, firstID: String?) {
        self.connection = connection
        self.head = head
        self.firstID = firstID
    }

    static func open(_ connection: RawConnection, _ request: String) async throws -> EventStream {
        try await connection.send(request)
        guard let text = try await connection.readHead() else { throw Truncated() }
        let head = RawHead(text)
        guard head.status == 200 else {
            throw Refused(
                answer: RawAnswer(status: head.status, fields: head.fields, body: try await connection.readBody(head)))
        }
        let stream = EventStream(connection: connection, head: head, firstID: nil)
        let first = try await stream.block()
        return EventStream(connection: connection, head: head, firstID: first?.id)
    }

    struct Refused: Error {
        let answer: RawAnswer
    }

    /// The next block; nil when the stream has ended as a whole one does.
    ///
    /// - Throws: ``Truncated`` when it was cut off.
    func block(within: TimeAmount = .seconds(20)) async throws -> Block? {
        // Each block may share its chunk with others, so blocks are cut from the text without its framing.
        guard let text = try await piece(within: within) else { return nil }
        var block = Block()
        for line in text.split(separator: "\n") {
            if line.hasPrefix(":") {
                block.comments += 1
                continue
            }
            let value = String(line.drop { $0 != ":" }.dropFirst(2))
            switch line.prefix(while: { $0 != ":" }) {
            case "id": block.id = value
            case "event": block.event = value
            case "data": block.data = value
            case "retry": block.retry = value
            default: break
            }
        }
        return block
    }

    private func piece(within: TimeAmount) async throws -> String? {
        if head["transfer-encoding"] == "chunked" {
            return try await connection.unchunked(through: "\n\n", within: within)
        }
        return try await connection.read(through: "\n\n", within: within)
    }

    /// The next event, past signs of life.
    func next(within: TimeAmount = .seconds(20)) async throws -> Block? {
        let end = NIODeadline.now() + within
        while let block = try await block(within: within) {
            if block.isEvent { return block }
            // Signs of life alone are not what is waited for.
            if NIODeadline.now() > end { throw RawTimeout(what: "event") }
        }
        return nil
    }

    /// The subjects of the next events.
    func subjects(_ count: Int) async throws -> [String] {
        var subjects: [String] = []
        while subjects.count < count, let event = try await next() {
            subjects.append(event.subject ?? event.event ?? "?")
        }
        return subjects
    }

    func close() async { await connection.close() }
}

extension RawConnection {
    /// Text of a chunked body through some mark, its framing left out; nil after the last chunk.
    func unchunked(through mark: String, within: TimeAmount) async throws -> String? {
        while true {
            if let text = carried.take(through: mark) { return text }
            guard let chunk = try await readChunk(within: within) else { throw Truncated() }
            if chunk.isEmpty { return nil }
            carried.append(chunk)
        }
    }
}

extension RunningGateway {
    /// Opens a stream.
    ///
    /// - Parameter lastID: where to go on.
    func listen(as person: LiveWorld.Person, after lastID: String? = nil) async throws -> EventStream {
        var fields = ["authorization": "Token \(person.token.secret)", "accept": "text/event-stream"]
        fields["last-event-id"] = lastID
        return try await EventStream.open(try await connect(), request("GET", "/api/v1/events", fields))
    }
}
