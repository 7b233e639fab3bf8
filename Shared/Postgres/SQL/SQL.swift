/// A statement with its parameters. Values interpolated are bound, never written into the text:
///
///     let sql: SQL = "SELECT name FROM users WHERE id = \(id)"   // … id = $1
///
/// `\(fragment)` splices another ``SQL`` and numbers its parameters anew; `\(unsafeRaw:)` is the only way for text to
/// enter the statement. Equal texts with equal parameter types are prepared once for each connection.
public struct SQL: Sendable {
    /// The statement with `$1`, `$2` … in the places of the parameters.
    public internal(set) var text: String
    var values: PostgresParameters
    /// Where in `text` (UTF-8) each placeholder begins, in order; needed to splice.
    var placeholders: [Int]

    /// Text as it stands, without parameters. Never build it from data.
    public init(unsafeRaw text: String) {
        self.text = text
        self.values = PostgresParameters()
        self.placeholders = []
    }

    /// The fragments one after the other with a separator between.
    public static func joined(_ fragments: [SQL], separator: StaticString) -> SQL {
        var joined = SQL(unsafeRaw: "")
        for (index, fragment) in fragments.enumerated() {
            if index > 0 { joined.text += String(describing: separator) }
            joined.append(fragment)
        }
        return joined
    }

    /// Appends a fragment; its parameters are numbered after those already here.
    public mutating func append(_ fragment: SQL) {
        guard !fragment.placeholders.isEmpty else {
            text += fragment.text
            values.adopt(faultOf: fragment.values)
            return
        }
        let source = fragment.text.utf8
        var copied = source.startIndex
        for (index, offset) in fragment.placeholders.enumerated() {
            let place = source.index(source.startIndex, offsetBy: offset)
            text += fragment.text[copied..<place]
            placeholders.append(text.utf8.count)
            text += "$\(placeholders.count)"
            copied = source.index(place, offsetBy: 1 + SQL.digits(index + 1))
        }
        text += fragment.text[copied...]
        values.append(fragment.values)
    }

    mutating func bind<Value: PostgresEncodable>(_ value: Value?) {
        placeholders.append(text.utf8.count)
        text += "$\(placeholders.count)"
        values.append(value)
    }

    private static func digits(_ number: Int) -> Int {
        var digits = 1
        var rest = number / 10
        while rest > 0 {
            digits += 1
            rest /= 10
        }
        return digits
    }
}

extension SQL: ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) {
        self.init(unsafeRaw: value)
    }

    public init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// Collects the text and the parameters of an interpolated ``SQL``.
    public struct StringInterpolation: StringInterpolationProtocol {
        var sql = SQL(unsafeRaw: "")

        public init(literalCapacity: Int, interpolationCount: Int) {
            sql.text.reserveCapacity(literalCapacity + interpolationCount * 3)
            sql.placeholders.reserveCapacity(interpolationCount)
            sql.values.reserveCapacity(interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) {
            sql.text += literal
        }

        /// Binds a value.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
            sql.bind(value)
        }

        /// Binds a value, or NULL of its type.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            sql.bind(value)
        }

        /// Splices a fragment with its own parameters.
        public mutating func appendInterpolation(_ fragment: SQL) {
            sql.append(fragment)
        }

        /// Text that becomes part of the statement as it stands. Never data.
        public mutating func appendInterpolation(unsafeRaw text: String) {
            sql.text += text
        }
    }
}
