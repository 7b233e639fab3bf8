import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Sends text messages through Twilio's API.
///
/// Source: Twilio, "Programmable Messaging: Message resource", "Create a Message"; "Twilio API responses".
struct TwilioTransport: Sendable {
    let account: TwilioAccount
    let client: HTTPClient
    /// Seconds for a whole request.
    var timeout: Int64 = 20
    /// How many messages may be on their way at once.
    var width = 4

    /// The largest answer that is read.
    private static let longestAnswer = 64 * 1024

    /// As the worker wants it.
    var transport: Transport<SMS> {
        Transport(width: width, longestTry: .seconds(timeout), send: send)
    }

    private func send(_ sms: SMS) async throws {
        var request = HTTPClientRequest(url: "\(account.baseURL)/2010-04-01/Accounts/\(account.sid)/Messages.json")
        request.method = .POST
        request.headers = [
            "authorization": "Basic \(Data("\(account.sid):\(account.token)".utf8).base64EncodedString())",
            "content-type": "application/x-www-form-urlencoded", "accept": "application/json",
        ]
        // Ten digits are a number of the North American plan.
        let form = [("To", "+1\(sms.to)"), ("From", account.from), ("Body", sms.body)]
        request.body = .bytes(ByteBuffer(string: StripePayments.encoded(form)))
        let end = NIODeadline.now() + .seconds(timeout)
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, deadline: end)
        } catch {
            throw DeliveryFailure(reason: "twilio: \(Self.words(error))", isPermanent: false)
        }
        let status = Int(response.status.code)
        // Twilio has the message, so nothing that happens from here on may have it sent again. A body that has not come
        // by now is let go of, and its connection with it.
        guard !(200..<300).contains(status) else { return }
        // What it says besides is only for the reason: an answer that can't be read is an answer.
        let answer = try? await response.body.collect(upTo: Self.longestAnswer, by: end)
        throw Self.failure(status, retryAfter: response.headers.first(name: "retry-after"), answer ?? ByteBuffer())
    }

    static func failure(_ status: Int, retryAfter: String?, _ answer: ByteBuffer) -> DeliveryFailure {
        // Twilio's own number for what is wrong, never its words: they repeat the recipient's number.
        var code = ""
        if case .integer(let number)? = (try? JSONParser.object(answer))?["code"] { code = " (\(number))" }
        return DeliveryFailure(
            reason: "twilio \(status)\(code)", isPermanent: (400..<500).contains(status) && status != 429,
            retryAfter: retryAfter.flatMap { RetryAfter.duration($0, now: WallClock.seconds) })
    }

    private static func words(_ error: any Error) -> String {
        (error as? HTTPClientError).map(\.shortDescription) ?? "\(type(of: error))"
    }
}
