import NIOCore

/// A failure that a client is told of, in the form of RFC 9457.
///
/// Nothing in it may be internal: no SQL, file, address or stack. Whatever else was known of the cause goes to the log.
public struct Problem: Error, Sendable, Equatable {
    /// The media type of every problem body.
    public static let contentType = "application/problem+json"

    /// What kind it is.
    public var code: ProblemCode
    /// A sentence for a person; never empty.
    public var detail: String
    /// Messages for each bad field, in the order in which the fields were read.
    public var errors: [FieldFault]
    /// Seconds after which trying again makes sense; becomes `Retry-After`.
    public var retryAfter: Int?
    /// The methods that the path does have; becomes `Allow`.
    public var allow: String?

    /// One bad field and what is wrong with it.
    public struct FieldFault: Sendable, Equatable {
        /// The name of the field, as the client wrote it.
        public var field: String
        /// Sentences for a person; at least one.
        public var messages: [String]

        /// - Parameters:
        ///   - field: the name of the field.
        ///   - messages: what is wrong with it.
        public init(field: String, messages: [String]) {
            self.field = field
            self.messages = messages
        }
    }

    /// - Parameters:
    ///   - code: what kind it is.
    ///   - detail: a sentence for a person; nil or empty takes the code's own.
    ///   - errors: the bad fields.
    ///   - retryAfter: seconds.
    ///   - allow: a list of methods.
    public init(
        _ code: ProblemCode, _ detail: String? = nil, errors: [FieldFault] = [], retryAfter: Int? = nil,
        allow: String? = nil
    ) {
        self.code = code
        self.detail = detail.flatMap { $0.isEmpty ? nil : $0 } ?? code.defaultDetail
        self.errors = errors
        self.retryAfter = retryAfter
        self.allow = allow
    }

    /// One bad field.
    public static func invalid(_ field: String, _ message: String) -> Problem {
        Problem(.invalid, errors: [FieldFault(field: field, messages: [message])])
    }

    /// A part of the system is away; come back in a second, or as many as given.
    public static func unavailable(retryAfter: Int = 1) -> Problem {
        Problem(.temporarilyUnavailable, retryAfter: retryAfter)
    }

    /// The HTTP status code of the answer.
    public var status: Int { code.status }

    /// The body: `type`, `title`, `status`, `detail`, `code`, `request_id` and, for bad data, `errors`.
    ///
    /// - Parameter requestID: what the log of this request goes by.
    public func body(requestID: String) -> ByteBuffer {
        var json = JSONWriter(capacity: 256)
        json.object { json in
            // RFC 9457, section 3.1.1: without a page that documents the type, it is about:blank.
            json.field("type", "about:blank")
            json.field("title", code.title)
            json.field("status", status)
            json.field("detail", detail)
            json.field("code", code.rawValue)
            json.field("request_id", requestID)
            if code == .invalid || !errors.isEmpty {
                json.object("errors") { json in
                    for fault in errors {
                        json.field(named: fault.field, fault.messages)
                    }
                }
            }
        }
        return json.buffer
    }

    /// The fields that go with the body, in lower case, apart from `content-length`.
    public var fields: [(name: String, value: String)] {
        var fields = [("content-type", Self.contentType)]
        if let retryAfter { fields.append(("retry-after", String(retryAfter))) }
        if let allow { fields.append(("allow", allow)) }
        return fields
    }
}

extension Problem: CustomStringConvertible {
    public var description: String { "\(code.rawValue): \(detail)" }
}
