/// What a ``HashProcess`` is asked: the work of one hash, as bytes on a socket.
struct HashQuestion: Equatable {
    var passphrase: [UInt8]
    var salt: [UInt8]
    var parameters: Scrypt.Parameters
    /// Bytes of the key.
    var length: Int

    /// Bytes before the salt and the passphrase.
    static let headBytes = 9

    /// Three parameters of a byte each, then the lengths of key, salt and passphrase, two bytes each, then salt and
    /// passphrase. Nil for what does not fit: such parameters scrypt would refuse.
    var bytes: [UInt8]? {
        let small = [parameters.logN, parameters.r, parameters.p].map { UInt8(exactly: $0) }
        let lengths = [length, salt.count, passphrase.count].map { UInt16(exactly: $0) }
        guard !small.contains(nil), !lengths.contains(nil) else { return nil }
        return small.compactMap { $0 } + lengths.compactMap { $0 }.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } + salt
            + passphrase
    }

    /// How many bytes follow a head: salt and passphrase.
    static func rest(after head: [UInt8]) -> Int { number(head, 5) + number(head, 7) }

    /// - Parameters:
    ///   - head: ``headBytes`` of them.
    ///   - rest: as many as ``rest(after:)`` says.
    init(head: [UInt8], rest: [UInt8]) {
        parameters = .init(logN: Int(head[0]), r: Int(head[1]), p: Int(head[2]))
        length = Self.number(head, 3)
        salt = Array(rest.prefix(Self.number(head, 5)))
        passphrase = Array(rest.dropFirst(salt.count))
    }

    init(passphrase: [UInt8], salt: [UInt8], parameters: Scrypt.Parameters, length: Int) {
        self.passphrase = passphrase
        self.salt = salt
        self.parameters = parameters
        self.length = length
    }

    private static func number(_ head: [UInt8], _ index: Int) -> Int { Int(head[index]) << 8 | Int(head[index + 1]) }
}
