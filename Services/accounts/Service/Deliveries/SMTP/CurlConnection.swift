import CCurl

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A libcurl handle that sends mail, with the connection that it keeps open from one mail to the next.
///
/// Source: libcurl, "curl_easy_setopt", "CURLOPT_MAIL_RCPT", "smtp-mail.c". Every call of it blocks.
///
/// Sendable without check: a handle of libcurl may be used from any thread but not from two at once (libcurl, "libcurl-thread"),
/// and the pool gives it to one at a time.
final class CurlConnection: @unchecked Sendable {
    /// What libcurl makes of a try.
    struct Outcome: Sendable, Hashable {
        /// `CURLE_OK` means that the server has taken the mail over.
        var code: CURLcode
        /// The server's last reply, 0 when there was none.
        var reply: Int
        /// Of that reply, such as `5.1.1` (RFC 3463).
        var enhanced: String?
    }

    private let handle: UnsafeMutableRawPointer
    /// When it was last used.
    var lastUsed = ContinuousClock.now

    /// Once in a process, before the first handle (libcurl, "curl_global_init").
    private static let isReady: Bool = {
        // CURLOPT_NOSIGNAL leaves a peer that went away to us.
        signal(SIGPIPE, SIG_IGN)
        return curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
    }()

    /// - Parameter server: where to.
    /// - Throws: `DeliveryFailure` when libcurl can't do what the settings ask for.
    init(_ server: SMTPServer, greeting: String) throws(DeliveryFailure) {
        guard Self.isReady, let handle = curl_easy_init() else {
            throw DeliveryFailure(reason: "libcurl can't start", isPermanent: false)
        }
        self.handle = handle
        var code = CURLE_OK
        func number(_ option: CURLoption, _ value: Int) {
            if code == CURLE_OK { code = techheroes_curl_set_number(handle, option, value) }
        }
        func string(_ option: CURLoption, _ value: String) {
            if code == CURLE_OK { code = techheroes_curl_set_string(handle, option, value) }
        }
        string(CURLOPT_URL, server.curlURL(greeting: greeting))
        string(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        // Not what a variable of the environment says about HTTP.
        string(CURLOPT_PROXY, "")
        number(CURLOPT_NOSIGNAL, 1)
        number(CURLOPT_UPLOAD, 1)
        number(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(server.connectTimeout))
        number(CURLOPT_TIMEOUT_MS, Self.milliseconds(server.timeout))
        // The QUIT after a refusal is outside of that limit, and two minutes long without one of its own.
        number(CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, min(120, Self.milliseconds(server.timeout) / 1000)))
        number(CURLOPT_TCP_KEEPALIVE, 1)
        number(CURLOPT_USE_SSL, Int(server.security.curlLevel.rawValue))
        number(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        number(CURLOPT_SSL_VERIFYPEER, 1)
        number(CURLOPT_SSL_VERIFYHOST, 2)
        if let authorities = server.authorities { string(CURLOPT_CAINFO, authorities) }
        if let login = server.login {
            string(CURLOPT_USERNAME, login.user)
            string(CURLOPT_PASSWORD, login.password)
        }
        if code == CURLE_OK { code = techheroes_curl_set_function(handle, CURLOPT_READFUNCTION, Self.read) }
        if code == CURLE_OK { code = techheroes_curl_set_function(handle, CURLOPT_HEADERFUNCTION, Self.note) }
        if code == CURLE_OK { code = techheroes_curl_set_function(handle, CURLOPT_WRITEFUNCTION, Self.drop) }
        guard code == CURLE_OK else {
            curl_easy_cleanup(handle)
            throw DeliveryFailure(reason: "libcurl: \(Self.words(code))", isPermanent: false)
        }
    }

    /// Says QUIT if there is a connection, and waits for the answer.
    deinit {
        curl_easy_cleanup(handle)
    }

    /// Sends one mail.
    ///
    /// - Parameters:
    ///   - from: an address; bounces go there.
    ///   - bytes: the mail, lines ended by CRLF; libcurl doubles dots at the beginning of a line.
    func send(from: String, to: String, _ bytes: [UInt8]) -> Outcome {
        let recipients = curl_slist_append(nil, "<\(to)>")
        defer { curl_slist_free_all(recipients) }
        var reply = Reply()
        var code = recipients == nil ? CURLE_OUT_OF_MEMORY : CURLE_OK
        if code == CURLE_OK { code = techheroes_curl_set_string(handle, CURLOPT_MAIL_FROM, "<\(from)>") }
        if code == CURLE_OK { code = techheroes_curl_set_pointer(handle, CURLOPT_MAIL_RCPT, recipients) }
        if code == CURLE_OK {
            code = techheroes_curl_set_size(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(bytes.count))
        }
        guard code == CURLE_OK else { return Outcome(code: code, reply: 0) }
        bytes.withUnsafeBytes { bytes in
            var upload = Upload(rest: bytes[...])
            withUnsafeMutablePointer(to: &upload) { upload in
                withUnsafeMutablePointer(to: &reply) { reply in
                    _ = techheroes_curl_set_pointer(handle, CURLOPT_READDATA, upload)
                    _ = techheroes_curl_set_pointer(handle, CURLOPT_HEADERDATA, reply)
                    code = curl_easy_perform(handle)
                }
            }
        }
        // Nothing of this call may be reached through the handle any more.
        _ = techheroes_curl_set_pointer(handle, CURLOPT_READDATA, nil)
        _ = techheroes_curl_set_pointer(handle, CURLOPT_HEADERDATA, nil)
        _ = techheroes_curl_set_pointer(handle, CURLOPT_MAIL_RCPT, nil)
        lastUsed = .now
        return Outcome(code: code, reply: techheroes_curl_response_code(handle), enhanced: reply.enhanced)
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    /// libcurl's own words for a code: fixed texts, without anything of the mail's.
    static func words(_ code: CURLcode) -> String {
        String(cString: curl_easy_strerror(code))
    }

    // MARK: Callbacks

    private struct Upload {
        var rest: Slice<UnsafeRawBufferPointer>
    }

    private static let read: techheroes_curl_transfer = { space, size, count, context in
        guard let space, let upload = context?.assumingMemoryBound(to: Upload.self) else { return 0 }
        let part = upload.pointee.rest.prefix(size * count)
        UnsafeMutableRawBufferPointer(start: space, count: size * count).copyBytes(from: part)
        upload.pointee.rest = upload.pointee.rest.dropFirst(part.count)
        return part.count
    }

    private struct Reply {
        var enhanced: String?
    }

    /// Takes a line of the server's. Only the digits of its enhanced code are kept: the rest may quote an address.
    private static let note: techheroes_curl_transfer = { bytes, size, count, context in
        guard let bytes, let reply = context?.assumingMemoryBound(to: Reply.self) else { return size * count }
        let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
        // Only a refusal's: after it libcurl says QUIT, which is answered as well.
        if line.first == UInt8(ascii: "4") || line.first == UInt8(ascii: "5") {
            reply.pointee.enhanced = EnhancedStatus.inReply(line)
        }
        return size * count
    }

    private static let drop: techheroes_curl_transfer = { _, size, count, _ in size * count }
}
