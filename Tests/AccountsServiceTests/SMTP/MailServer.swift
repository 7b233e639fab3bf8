import Foundation

@testable import TestKit

/// A real SMTP server (Debian's python3-aiosmtpd) on 127.0.0.1, in a process of its own, which does to each mail what the
/// first word of its address says: see ``script``.
final class MailServer: Sendable {
    /// How it is spoken to.
    enum Mode: String, Sendable {
        case plain
        /// Offers STARTTLS, and takes nothing without.
        case startTLS = "starttls"
        /// TLS from the first byte on.
        case implicitTLS = "tls"
    }

    /// What a client did, or what the server did with a mail.
    struct Entry: Decodable, Sendable {
        /// `connect`, `mail`, `rcpt`, `accepted`, `login`, `quit`.
        var what: String
        var to: String?
        var from: String?
        /// The Message-ID of an accepted mail.
        var id: String?
        /// Of an accepted mail, in base 64.
        var content: String?
        var text: String?
    }

    let port: Int
    let folder: URL
    private let mode: Mode
    private let process: GuardedProcess

    /// Starts a server, and returns when it listens.
    ///
    /// - Parameters:
    ///   - port: of a server that ran before, to go on where it ended.
    ///   - login: asks for this user and password, `user:password`.
    static func start(_ mode: Mode = .plain, after before: MailServer? = nil, login: String = "") async throws
        -> MailServer
    {
        let folder: URL
        if let before { folder = before.folder } else { folder = try await temporaryFolder("smtp") }
        let port: Int
        if let before { port = before.port } else { port = try freePort() }
        if mode != .plain { try await makeCertificate(folder) }
        try Data(script.utf8).write(to: folder.appendingPathComponent("server.py"))
        let process = try await GuardedProcess.start(
            [
                try await python(), folder.appendingPathComponent("server.py").path, "\(port)", folder.path,
                mode.rawValue, login,
            ], log: folder.appendingPathComponent("output"))
        let server = MailServer(port: port, folder: folder, mode: mode, process: process)
        try await ready(process, "SMTP on port \(port)") { isListening(port) }
        return server
    }

    private init(port: Int, folder: URL, mode: Mode, process: GuardedProcess) {
        self.port = port
        self.folder = folder
        self.mode = mode
        self.process = process
    }

    /// Ends it: what it has answered with 250 has reached the client's side, everything else is cut off.
    func stop() async throws {
        process.signal(SIGTERM)
        try await process.waitForExit()
    }

    /// Stops it and starts it on the same port.
    func restart() async throws -> MailServer {
        try await stop()
        return try await MailServer.start(mode, after: self)
    }

    /// The certificate that it shows, which is its own authority too.
    var certificate: String { folder.appendingPathComponent("cert.pem").path }

    /// All that has happened, across restarts.
    var entries: [Entry] {
        get throws {
            let text = try String(contentsOf: folder.appendingPathComponent("log"), encoding: .utf8)
            return try text.split(separator: "\n").map { try JSONDecoder().decode(Entry.self, from: Data($0.utf8)) }
        }
    }

    func entries(_ what: String) throws -> [Entry] {
        try entries.filter { $0.what == what }
    }

    private static func makeCertificate(_ folder: URL) async throws {
        guard !FileManager.default.fileExists(atPath: folder.path + "/cert.pem") else { return }
        try await run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder.path + "/key.pem",
            "-out", folder.path + "/cert.pem",
        ])
    }

    /// Debian's Python has Debian's packages; another may come first in PATH.
    private static func python() async throws -> String {
        for candidate in ["/usr/bin/python3", "python3"] {
            let result = try await runToEnd([candidate, "-c", "import aiosmtpd"])
            if result.status == 0 { return candidate }
        }
        throw TestFailure("no Python has aiosmtpd: run scripts/install-dependencies --with-tests")
    }

    /// The first word of a recipient's address, up to a dash, says what happens at its first tries:
    ///
    ///     ok         taken          rcptNNN    RCPT answered NNN, always       dataNNN   the mail answered NNN, always
    ///     once…      the same as the rest of the word, at the first try only
    ///     droprcpt   the connection is closed at RCPT      dropdata   and after the mail, which is not kept
    ///     slow       answered after 300 ms                 silent     not answered
    private static let script = #"""
        import asyncio, base64, email, json, re, signal, ssl, sys
        from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

        port, folder, mode, login = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
        tries = {}
        try:
            for line in open(folder + "/log"):
                entry = json.loads(line)
                if entry["what"] == "rcpt": tries[entry["to"]] = tries.get(entry["to"], 0) + 1
        except FileNotFoundError: pass
        log = open(folder + "/log", "a")
        def note(what, **more):
            log.write(json.dumps({"what": what, **more}) + "\n")
            log.flush()

        # Nothing is noted whose answer can't leave any more: what has come before a stop may still be read after it.
        def going(server): return server.transport is None or server.transport.is_closing()

        def fate(address):
            word = address.split("-")[0]
            if word.startswith("once"):
                return word[4:] if tries[address] == 1 else "ok"
            return word

        class Handler:
            async def handle_MAIL(self, server, session, envelope, address, options):
                note("mail", **{"from": address})
                envelope.mail_from = address
                return "250 2.1.0 OK"

            async def handle_RCPT(self, server, session, envelope, address, options):
                if going(server): return "421 4.3.2 going"
                note("rcpt", to=address)
                tries[address] = tries.get(address, 0) + 1
                word = fate(address)
                if word == "droprcpt":
                    server.transport.abort()
                    await asyncio.sleep(60)
                if re.fullmatch("rcpt[0-9]{3}", word): return f"{word[4:]} {word[4]}.1.1 <{address}> not here"
                envelope.rcpt_tos.append(address)
                return "250 2.1.5 OK"

            async def handle_DATA(self, server, session, envelope):
                address = envelope.rcpt_tos[0]
                word = fate(address)
                if word == "dropdata":
                    server.transport.abort()
                    await asyncio.sleep(60)
                if word == "silent": await asyncio.sleep(60)
                if word == "slow": await asyncio.sleep(0.3)
                if re.fullmatch("data[0-9]{3}", word): return f"{word[4:]} {word[4]}.7.1 refused for {address}"
                content = envelope.original_content
                if going(server): return "421 4.3.2 going"
                # Kept and answered in one go: a stop comes before both or after both.
                note("accepted", to=address, **{"from": envelope.mail_from}, id=email.message_from_bytes(content)["Message-ID"],
                     content=base64.b64encode(content).decode())
                return "250 2.0.0 kept"

        class Server(SMTP):
            open = set()
            def connection_made(self, transport):
                if self.transport is None: note("connect")
                super().connection_made(transport)
                Server.open.add(self)
            def connection_lost(self, error):
                Server.open.discard(self)
                super().connection_lost(error)
            async def smtp_QUIT(self, arg):
                note("quit")
                await super().smtp_QUIT(arg)

        def check(server, session, envelope, mechanism, data):
            good = isinstance(data, LoginPassword) and data.login + b":" + data.password == login.encode()
            # The session knows of STARTTLS only.
            secure = session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None
            note("login", text=f"{mechanism} {good} {secure}")
            return AuthResult(success=good, handled=False)

        async def main():
            context = None
            if mode != "plain":
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
            options = {"hostname": "mx.test", "ident": "test"}
            if mode == "starttls": options |= {"tls_context": context, "require_starttls": True}
            if login: options |= {"authenticator": check, "auth_required": True, "auth_require_tls": mode == "starttls"}
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: Server(Handler(), **options), "127.0.0.1", port,
                                              ssl=context if mode == "tls" else None)
            stopped = asyncio.Event()
            loop.add_signal_handler(signal.SIGTERM, stopped.set)
            await stopped.wait()
            server.close()
            for protocol in list(Server.open):
                if protocol.transport: protocol.transport.close()
            await asyncio.sleep(0.1)

        asyncio.run(main())
        """#
}
