import ServiceKit

/// An owner answered what is none of its answers. Who asked calls is not to blame: to them the owner is away.
struct MalformedAnswer: UnavailableError, CustomStringConvertible {
    let owner: String
    let cause: any Error

    var isUnavailable: Bool { true }
    var description: String { "\(owner) answered what can't be read: \(cause)" }
}

extension InternalClient.Answer {
    /// What an owner tells of one of its things.
    ///
    /// - Throws: ``MalformedAnswer`` for whatever `read` throws.
    func copy<Copy>(
        from owner: String, _ read: ([String: JSONValue]) throws(Problem) -> Copy
    ) throws(MalformedAnswer) -> Copy {
        do {
            return try read(try JSONParser.object(body))
        } catch {
            throw MalformedAnswer(owner: owner, cause: error)
        }
    }
}
