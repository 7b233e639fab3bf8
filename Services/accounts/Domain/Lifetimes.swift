/// How long things hold, each a setting.
public struct Lifetimes: Sendable, Hashable {
    /// Of a code sent to an address that is to be verified.
    public var emailCode: Duration
    /// Of a code sent to a phone number.
    public var phoneCode: Duration
    /// Of a code for a new password.
    public var passwordCode: Duration
    /// Of a token, counted from when it was issued.
    public var token: Duration
    /// Of a token while its user's email address is unverified. Verifying it gives the user's tokens the rest of
    /// ``token``.
    public var unverifiedToken: Duration

    /// The contract's, unless said otherwise.
    public init(
        emailCode: Duration = .seconds(7 * 86_400), phoneCode: Duration = .seconds(600),
        passwordCode: Duration = .seconds(3600), token: Duration = .seconds(7 * 86_400),
        unverifiedToken: Duration = .seconds(86_400)
    ) {
        self.emailCode = emailCode
        self.phoneCode = phoneCode
        self.passwordCode = passwordCode
        self.token = token
        self.unverifiedToken = unverifiedToken
    }

    /// When a code made now ends.
    public func end(of purpose: CodePurpose, madeAt now: Instant) -> Instant {
        switch purpose {
        case .email: now.advanced(by: emailCode)
        case .phone: now.advanced(by: phoneCode)
        case .password: now.advanced(by: passwordCode)
        }
    }

    /// When a token issued now ends, on a whole second: that is what Redis counts in.
    public func end(ofTokenIssuedAt now: Instant, emailVerified: Bool) -> Instant {
        let end = now.advanced(by: emailVerified ? token : unverifiedToken)
        return Instant(microseconds: end.seconds * 1_000_000)
    }

    /// The most tokens a user may have alive; with one more, the oldest ends.
    public static let tokensPerUser = 20

    /// The least time between two messages to one address or number that somebody asked for with a change of profile.
    public static let resendInterval = Duration.seconds(60)
}
