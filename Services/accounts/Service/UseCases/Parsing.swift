import AccountsDomain

// Functions by a name of their own: `init` alone doesn't tell which one is meant.

extension PersonName {
    static func parse(_ text: String) throws(InvalidValue) -> PersonName { try PersonName(text) }
}

extension EmailAddress {
    static func parse(_ text: String) throws(InvalidValue) -> EmailAddress { try EmailAddress(text) }
}

extension PhoneNumber {
    static func parse(_ text: String) throws(InvalidValue) -> PhoneNumber { try PhoneNumber(text) }
}

extension ImageURL {
    static func parse(_ text: String) throws(InvalidValue) -> ImageURL { try ImageURL(text) }
}

extension Password {
    static func parse(_ text: String) throws(InvalidValue) -> Password { try Password(text) }
}
