import Foundation
import TestKit

/// The directory in Go (gin and pgx of Debian's packages), which reads count and page for each request.
struct GoDirectory {
    let process: RunningProcess
    let port: Int

    static func start(database: String) async throws -> GoDirectory {
        let folder = try await temporaryFolder("go")
        let binary = folder.appendingPathComponent("heroes").path
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("yardstick/heroes/main.go").path
        var environment = ProcessInfo.processInfo.environment
        environment["GO111MODULE"] = "off"
        environment["GOPATH"] = "/usr/share/gocode"
        if environment["HOME"] == nil { environment["GOCACHE"] = folder.appendingPathComponent("cache").path }
        try await TestKit.run(["go", "build", "-o", binary, source], environment: environment)
        let port = try freePort()
        let process = try await RunningProcess.start(
            binary, environment: ["DATABASE_URL": database, "PORT": "\(port)"],
            readyURL: "http://127.0.0.1:\(port)\(HeroesBench.path)")
        return GoDirectory(process: process, port: port)
    }
}
