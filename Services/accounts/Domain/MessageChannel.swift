/// How a person is reached.
public enum MessageChannel: String, Codable, Sendable, Hashable, CaseIterable {
    case mail
    case sms
}
