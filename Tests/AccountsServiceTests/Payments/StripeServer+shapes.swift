import Foundation

/// What Stripe's API reference shows as answers ("Create a SetupIntent", "Create a customer", "Detach a PaymentMethod",
/// "Errors"), shortened by members that say nothing here.
extension StripeServer {
    /// What it answers when all is well.
    static func success(_ asked: Asked) -> Reply {
        switch asked.path {
        case "/v1/customers": .json(200, customer(asked.form["metadata[user]"] ?? ""))
        case "/v1/setup_intents": .json(200, intent(asked))
        case let path where path.hasSuffix("/detach"):
            .json(200, #"{"id": "pm_1", "object": "payment_method", "customer": null, "type": "card"}"#)
        default: .json(404, error("invalid_request_error", "Unrecognized request URL", code: nil, param: nil))
        }
    }

    static func customer(_ user: String) -> String {
        """
        {"id": "cus_NffrFeUfNV2Hib", "object": "customer", "address": null, "balance": 0, "created": 1680893993,
         "currency": null, "default_source": null, "delinquent": false, "description": null, "email": null,
         "invoice_settings": {"custom_fields": null, "default_payment_method": null, "footer": null},
         "livemode": false, "metadata": {"user": "\(user)"}, "name": null, "phone": null, "shipping": null}
        """
    }

    /// - Parameter name: what tells it from another; the attempt's own unless given.
    static func intent(_ asked: Asked, status: String = "succeeded", name: String? = nil) -> String {
        let attempt = asked.form["metadata[attempt]"] ?? ""
        let name = name ?? "seti_\(attempt.filter { $0 != "-" })"
        let action =
            status == "requires_action"
            ? #"{"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}"# : "null"
        return """
            {"id": "\(name)", "object": "setup_intent", "application": null, "cancellation_reason": null,
             "client_secret": "\(name)_secret_NXDICkPqPeiBTAFqWmkbff09lRmSVXe", "created": 1678942624,
             "customer": "\(asked.form["customer"] ?? "")", "description": null, "flow_directions": null,
             "last_setup_error": null, "latest_attempt": "setatt_1Mm8s8", "livemode": false, "mandate": null,
             "metadata": {"attempt": "\(attempt)"}, "next_action": \(action), "on_behalf_of": null,
             "payment_method": "\(asked.form["payment_method"] ?? "")",
             "payment_method_options": {"card": {"mandate_options": null, "request_three_d_secure": "automatic"}},
             "payment_method_types": ["card"], "single_use_mandate": null, "status": "\(status)",
             "usage": "off_session"}
            """
    }

    static func error(_ type: String, _ message: String, code: String?, param: String?) -> String {
        var error = [
            "type": type, "message": message, "request_log_url": "https://dashboard.stripe.com/test/logs/req_1",
        ]
        error["code"] = code
        error["param"] = param
        let members = error.map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ")
        return #"{"error": {\#(members)}}"#
    }

    static var declined: Reply {
        .json(
            402,
            """
            {"error": {"code": "card_declined", "decline_code": "generic_decline",
             "doc_url": "https://stripe.com/docs/error-codes/card-declined", "message": "Your card was declined.",
             "param": "", "setup_intent": {"id": "seti_declined", "status": "requires_payment_method"},
             "type": "card_error"}}
            """)
    }

    static var noSuchMethod: Reply {
        .json(
            400,
            error(
                "invalid_request_error", "No such PaymentMethod: 'pm_nothing'", code: "resource_missing",
                param: "payment_method"))
    }

    // MARK: Events

    /// An event about a SetupIntent.
    static func event(_ type: String, id: String = "evt_1", intent: String, attempt: String? = nil) -> String {
        let metadata = attempt.map { #"{"attempt": "\#($0)"}"# } ?? "{}"
        return """
            {"id": "\(id)", "object": "event", "api_version": "2024-06-20", "created": 1686089970,
             "data": {"object": {"id": "\(intent)", "object": "setup_intent", "metadata": \(metadata),
              "payment_method": "pm_1", "status": "succeeded", "usage": "off_session"}},
             "livemode": false, "pending_webhooks": 0, "request": {"id": null, "idempotency_key": null},
             "type": "\(type)"}
            """
    }
}
