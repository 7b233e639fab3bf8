import Foundation
import NIOSSL
import Redis
import TestKit
import Testing

@Suite struct RedisTLSTests {
    @Test func overTLSItTalksOnlyToAServerWhoseCertificateItTrusts() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("redis-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let key = folder.appendingPathComponent("key.pem").path
        let certificate = folder.appendingPathComponent("certificate.pem").path
        try await run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "1",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
        ])
        let port = try freePort()
        let server = try await TestRedis.start(options: [
            "--tls-port", "\(port)", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file",
            certificate, "--tls-auth-clients", "no",
        ])
        try await withClient("rediss://localhost:\(port)", { $0.tls?.trustRoots = .file(certificate) }) { client in
            try await expectEqual(client.send(["SET", "tls", "yes"]), .simple("OK"))
            try await expectEqual(client.send(["GET", "tls"]).string, "yes")
        }
        try await withClient("rediss://localhost:\(port)", { $0.connectTimeout = .seconds(1) }) { client in
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
        }
        // The certificate is localhost's, not the address's.
        try await withClient(
            "rediss://127.0.0.1:\(port)",
            {
                $0.tls?.trustRoots = .file(certificate)
                $0.connectTimeout = .seconds(1)
            }
        ) { client in
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
        }
        // Plain text to the TLS port.
        try await withClient("redis://localhost:\(port)", { $0.connectTimeout = .seconds(1) }) { client in
            await expectFailure(.unavailable) { try await client.send(["PING"]) }
        }
        try await server.stop()
    }
}
