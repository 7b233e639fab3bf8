import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import ServiceKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Stripe's SetupIntents: a card is confirmed for later charges without the user present.
///
/// Source: Stripe API reference, "Create a SetupIntent", "Create a customer", "Detach a PaymentMethod", "Errors",
/// "Idempotent requests".
struct StripePayments: PaymentProvider {
    let client: HTTPClient
    /// Without a slash at its end; `https://api.stripe.com` unless a test or a proxy stands in.
    let baseURL: String
    /// The account's secret key. Never logged.
    let secretKey: String
    /// For one request and its whole answer.
    var timeout: TimeAmount = .seconds(10)

    /// The largest answer that is read.
    private static let maxAnswer = 1 << 20

    var name: String { "stripe" }

    func confirm(_ attempt: PaymentAttempt) async throws -> PaymentOutcome {
        let customer: String
        if let known = attempt.customer {
            customer = known
        } else {
            customer = try await newCustomer(for: attempt)
        }
        let answer = try await post(
            "/v1/setup_intents",
            [
                ("customer", customer), ("payment_method", attempt.method), ("confirm", "true"),
                ("usage", "off_session"), ("payment_method_types[]", "card"),
                ("metadata[attempt]", attempt.id.uuidString.lowercased()),
            ], idempotencyKey: "setup-\(attempt.id.uuidString.lowercased())")
        switch answer.status {
        case 200..<300:
            guard let intent = answer.text("id"), let status = answer.text("status") else { throw Self.undocumented }
            return try Self.outcome(status: status, customer: customer, intent: intent)
        case 402:
            return .declined
        case 400, 404:
            // `resource_missing` on payment_method, or a method that can't be used here: the client sent a wrong one.
            // Anything else is our own mistake and must not be blamed on the client.
            guard answer.error("param") == "payment_method" else { throw Self.refused(answer) }
            return .unknownMethod
        default:
            throw Self.refused(answer)
        }
    }

    func release(method: String) async throws {
        let answer = try await post("/v1/payment_methods/\(method)/detach", [], idempotencyKey: nil)
        // 400 and 404: it is not attached, or not there, which is what was wanted.
        guard [200, 400, 404].contains(answer.status) else { throw Self.refused(answer) }
    }

    /// One customer for each user, however often it is asked.
    ///
    /// Stripe keeps the first answer of an idempotency key for a day, a fault of its own too ("Idempotent requests");
    /// after one of those it is asked under another key, and at worst a customer is left over that nothing refers to.
    private func newCustomer(for attempt: PaymentAttempt) async throws -> String {
        let user = attempt.userID.uuidString.lowercased()
        let form = [(name: "metadata[user]", value: user)]
        var answer = try await post("/v1/customers", form, idempotencyKey: "customer-\(user)")
        if answer.status >= 500 {
            let key = "customer-\(user)-\(attempt.id.uuidString.lowercased())"
            answer = try await post("/v1/customers", form, idempotencyKey: key)
        }
        guard answer.status == 200, let customer = answer.text("id") else { throw Self.refused(answer) }
        return customer
    }

    /// "The SetupIntent object", `status`.
    static func outcome(status: String, customer: String?, intent: String) throws -> PaymentOutcome {
        switch status {
        case "succeeded": .confirmed(customer: customer, intent: intent)
        case "processing", "requires_action", "requires_confirmation": .pending(customer: customer, intent: intent)
        case "requires_payment_method", "canceled": .declined
        default: throw undocumented
        }
    }

    private static let undocumented = PaymentsUnavailable(reason: "Stripe answered in a form that is not documented")

    private static func refused(_ answer: Answer) -> PaymentsUnavailable {
        PaymentsUnavailable(reason: "Stripe answered \(answer.status)")
    }

    // MARK: HTTP

    private struct Answer {
        let status: Int
        let members: [String: JSONValue]

        func text(_ name: String) -> String? {
            if case .string(let text)? = members[name] { text } else { nil }
        }

        func error(_ name: String) -> String? {
            guard case .object(let error)? = members["error"], case .string(let text)? = error[name] else { return nil }
            return text
        }
    }

    private func post(
        _ path: String, _ form: [(name: String, value: String)], idempotencyKey: String?
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = .POST
        request.headers = [
            "authorization": "Bearer \(secretKey)", "content-type": "application/x-www-form-urlencoded",
            "stripe-version": "2024-06-20",
        ]
        if let idempotencyKey { request.headers.add(name: "idempotency-key", value: idempotencyKey) }
        request.body = .bytes(ByteBuffer(string: Self.encoded(form)))
        do {
            let end = NIODeadline.now() + timeout
            let response = try await client.execute(request, deadline: end)
            let body = try await response.body.collect(upTo: Self.maxAnswer, by: end)
            return Answer(status: Int(response.status.code), members: (try? JSONParser.object(body)) ?? [:])
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw PaymentsUnavailable(reason: "Stripe could not be reached")
        }
    }

    /// application/x-www-form-urlencoded (WHATWG URL, section 5.2), with every byte escaped that could need it.
    static func encoded(_ form: [(name: String, value: String)]) -> String {
        form.map { "\(escaped($0.name))=\(escaped($0.value))" }.joined(separator: "&")
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
