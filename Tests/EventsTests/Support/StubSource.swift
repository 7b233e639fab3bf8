import Foundation
import Hummingbird
import NIOCore
import Postgres
import ServiceKit
import Synchronization
import TestKit

@testable import Events

/// A source that is only a list: what it answers, and what it says on the channel, is the test's to choose.
final class StubSource: Sendable {
    struct State {
        var events: [Event] = []
        var oldest: Int64 = 1
        /// Answers with this status instead.
        var status: Int?
        /// Answers with this body instead, to a query of one event and more.
        var body: (@Sendable (_ after: Int64, _ limit: Int64) -> String?)?
        var snapshot: [[(position: Int64, things: [(String, Int64)])]] = []
        var asked: [String] = []
    }

    let state = Mutex(State())
    let port: Int
    private let redis: TestRedis

    init(_ redis: TestRedis) throws {
        self.redis = redis
        port = try freePort()
    }

    var address: String { "http://127.0.0.1:\(port)" }

    /// How often the ledger was asked.
    var asked: Int { state.withLock { $0.asked.count } }

    var service: HTTPService {
        HTTPService(
            port: port,
            routes: [
                Route(.get, "/internal/v1/events", access: .service(["reader"])) { request in
                    let after = try request.query.integer("after", 0 ... .max) ?? 0
                    let limit = try request.query.integer("limit", 1...1000) ?? 500
                    return self.page(after, limit)
                }
            ])
    }

    private func page(_ after: Int64, _ limit: Int64) -> Response {
        state.withLock { state in
            state.asked.append("\(after) \(limit)")
            if let status = state.status { return .text(.init(code: status), "no") }
            if let body = state.body?(after, limit) { return .json(.ok, ByteBuffer(string: body)) }
            let head = state.events.last?.position ?? state.oldest - 1
            let isPruned = after < state.oldest - 1
            return .json { json in
                json.object { json in
                    json.field("head", head)
                    json.field("oldest", state.oldest)
                    json.field("pruned", isPruned)
                    json.field("last", state.events.first { $0.position == after }?.id)
                    json.array("events") { json in
                        guard !isPruned else { return }
                        for event in state.events.filter({ $0.position > after }).prefix(Int(limit)) {
                            event.write(into: &json)
                        }
                    }
                }
            }
        }
    }

    /// Adds events to the ledger and says nothing.
    @discardableResult
    func keep(_ numbers: some Sequence<Int>, type: String = "thing.changed", subject: String = "1") -> [Event] {
        state.withLock { state in
            numbers.map { number in
                let position = (state.events.last?.position ?? state.oldest - 1) + 1
                let event = Event(
                    position: position, id: UUID(), source: Stage.source, type: type, subject: subject,
                    recipients: [], time: .now(), data: ["number": .integer(Int64(number))])
                state.events.append(event)
                return event
            }
        }
    }

    /// Says an event on the channel.
    func say(_ events: [Event]) async throws {
        for event in events {
            try await redis.cli("PUBLISH", Outbox.channel(Stage.source), String(buffer: event.envelope))
        }
    }
}
