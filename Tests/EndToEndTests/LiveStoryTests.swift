import AsyncHTTPClient
import Foundation
import NIOCore
import TestKit
import Testing

@Suite("Live events, and what the processes report of the way they take") struct LiveStoryTests {
    @Test func `a change is told on a stream until the token ends, and every part of the way is measured`() async throws
    {
        let stack = try await RunningStack.start()
        let person = try await stack.person(verified: true)
        let token = try await stack.login(person)
        var request = HTTPClientRequest(url: stack.client.origin + "/api/v1/events")
        request.headers.add(name: "authorization", value: "Token \(token)")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        #expect(response.status == .ok)
        #expect(response.headers.first(name: "content-type") == "text/event-stream")
        var pieces = response.body.makeAsyncIterator()
        _ = try await pieces.next()
        try await eventually("a listener is counted") {
            let metrics = try await stack.metrics(of: nil)
            return sum("gateway_live_listeners", metrics) == 1
        }

        _ = try await stack.asked(.PATCH, "/api/v1/accounts/profile", person, #"{"first_name": "Grace"}"#)
        var told = ""
        while !told.contains("event: user.updated"), let piece = try await pieces.next() {
            told += String(buffer: piece)
        }
        #expect(told.contains("Grace") && told.contains(person.id.lowercased()))

        try await relaysAndConsumers(stack)

        #expect(try await stack.client.ask(.DELETE, "/api/v1/accounts/logout", token: token).status == 204)
        // The stream ends, whole.
        while try await pieces.next() != nil {}
        try await eventually("nobody listens") {
            let metrics = try await stack.metrics(of: nil)
            return sum("gateway_live_listeners", metrics) == 0
                && sum(#"gateway_live_ended_total{reason="revoked"}"#, metrics) == 1
        }
        try await stack.end()
    }

    /// Each service relays its events and reads those of others; nothing is left to be read.
    private func relaysAndConsumers(_ stack: RunningStack) async throws {
        let sources: [RunningStack.Service: [String]] = [
            .accounts: ["heroes", "calls"], .heroes: ["accounts"], .calls: ["accounts", "heroes"],
        ]
        for (service, sources) in sources {
            let relay = "{service=\"\(service)\"}"
            // All of it at one moment; what waits to be relayed is measured every five seconds.
            let metrics = try await eventually(within: .seconds(30), "\(service) relays, and has read all") {
                () async throws -> String? in
                let metrics = try await stack.metrics(of: service)
                let hasRelayed =
                    sum("events_relay_leader" + relay, metrics) == 1
                    && sum("events_relay_waiting" + relay, metrics) == 0
                    && sum("events_relay_lag_seconds" + relay, metrics) == 0
                let hasRead = sources.allSatisfy { source in
                    ["events_consumer_lag_events", "events_consumer_lag_seconds"].allSatisfy { name in
                        sum(name + "{service=\"\(service)\",source=\"\(source)\"}", metrics) == 0
                    }
                }
                return hasRelayed && hasRead ? metrics : nil
            }
            for source in sources {
                let of = "{service=\"\(service)\",source=\"\(source)\"}"
                for name in ["events_parked_total", "events_lost_total"] {
                    #expect(sum(name + of, metrics) == 0, "\(name) of \(service)")
                }
                for name in ["events_gaps_healed_total", "events_retries_total", "events_applied_total"] {
                    #expect(sum(name + of, metrics) != nil, "\(name) of \(service)")
                }
            }
        }
        // What was told is counted once Redis has answered, which may be after it was read.
        try await eventually("what was told and read is counted") {
            let published = sum(#"events_published_total{service="accounts"}"#, try await stack.metrics(of: .accounts))
            let applied = sum(
                #"events_applied_total{service="heroes",source="accounts"}"#, try await stack.metrics(of: .heroes))
            return published ?? 0 >= 3 && applied ?? 0 >= 1
        }
    }

    /// Of all lines that begin so; nil when there is none.
    private func sum(_ name: String, _ metrics: String) -> Double? {
        let values = metrics.split(separator: "\n").filter { $0.hasPrefix(name) }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
        return values.isEmpty ? nil : values.reduce(0, +)
    }
}
