import Events
import HTTPTypes
import ServiceKit

extension Accounts {
    /// Everything that accounts answers.
    var routes: RouteTable {
        let gateway = Route.Access.service(["gateway"])
        let services = Route.Access.service(["heroes", "calls"])
        return RouteTable([
            Route(.post, "/api/v1/accounts/register", access: .public, handler: register),
            Route(.post, "/api/v1/accounts/login", access: .public, handler: login),
            Route(.delete, "/api/v1/accounts/logout", access: .user, handler: logout),
            Route(.get, "/api/v1/accounts/profile", access: .user, handler: showProfile),
            Route(.patch, "/api/v1/accounts/profile", access: .user, handler: changeProfile),
            Route(.post, "/api/v1/accounts/verify-email", access: .user, handler: verifyEmail),
            Route(.post, "/api/v1/accounts/verify-phone", access: .user, handler: verifyPhone),
            Route(.post, "/api/v1/accounts/change-password", access: .user, handler: changePassword),
            Route(.post, "/api/v1/accounts/request-password", access: .public, handler: requestPassword),
            Route(.post, "/api/v1/accounts/reset-password", access: .public, handler: resetPassword),
            Route(.post, "/api/v1/accounts/payment-method", access: .user, handler: attachPaymentMethod),
            Route(.delete, "/api/v1/accounts/payment-method", access: .user, handler: removePaymentMethod),
            Route(
                .post, "/api/v1/accounts/stripe-webhook", access: .public, accepts: .bytes, handler: paymentEvent),

            Route(.get, "/internal/v1/tokens/{hash}", access: gateway, handler: token),
            Route(.get, "/internal/v1/users", access: services, handler: users),
            Route(.get, "/internal/v1/users/{id}", access: services, handler: user),
            Route(.get, "/internal/v1/users/{id}/public", access: services, handler: publicUser),
            EventLedger(outbox, postgres: postgres).route(for: ["heroes", "calls", "gateway"]),
        ])
    }
}

extension HTTPField.Name {
    /// https://docs.stripe.com/webhooks#verify-manually
    static let stripeSignature = HTTPField.Name("Stripe-Signature") ?? .authorization
}
