import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import TestKit

/// What the gateway answered.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: String

    /// The body as a JSON object; empty when it is none.
    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]) ?? [:]
    }

    var code: String? { json["code"] as? String }

    /// Whether it asks to come back: 503 with `Retry-After`.
    var isForLater: Bool { status == 503 && headers.contains(name: "retry-after") }

    func text(_ field: String) -> String? { json[field] as? String }
}

/// Asks over HTTP, as a client of ours would.
struct Client: Sendable {
    let origin: String
    var http = HTTPClient.shared

    func ask(
        _ method: HTTPMethod, _ path: String, token: String? = nil, _ body: String? = nil, headers: HTTPHeaders = [:],
        timeout: TimeAmount = .seconds(30)
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: origin + path)
        request.method = method
        request.headers = headers
        if let token { request.headers.add(name: "authorization", value: "Token \(token)") }
        if let body {
            if !headers.contains(name: "content-type") {
                request.headers.add(name: "content-type", value: "application/json")
            }
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await http.execute(request, timeout: timeout)
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return Answer(status: Int(response.status.code), headers: response.headers, body: String(buffer: bytes))
    }

    /// Asks, and asks again for as long as it is told to come back, which a machine that stands still for a moment can
    /// bring about. A POST or PATCH has a key of its own, which makes all its tries one request.
    ///
    /// - Parameter onLater: is told of each answer that asked to come back.
    /// - Throws: what ``ask(_:_:token:_:headers:timeout:)`` throws; `TimedOut` when no other answer comes for a minute.
    func insist(
        _ method: HTTPMethod, _ path: String, token: String? = nil, _ body: String? = nil,
        onLater: @Sendable () -> Void = {}
    ) async throws -> Answer {
        var headers: HTTPHeaders = [:]
        if method == .POST || method == .PATCH { headers.add(name: "idempotency-key", value: UUID().uuidString) }
        // What fails is not tried again, so it is carried out of the polling.
        let outcome = try await eventually(within: .seconds(60), "an answer that is final") {
            () async -> Result<Answer, any Error>? in
            do {
                let answer = try await ask(method, path, token: token, body, headers: headers)
                guard answer.isForLater else { return .success(answer) }
                onLater()
                return nil
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
