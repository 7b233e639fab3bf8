import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

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
}
