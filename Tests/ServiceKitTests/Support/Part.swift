import ServiceLifecycle

/// Something that runs beside the server and says when it ends.
struct Part: Service {
    let ended: @Sendable () -> Void

    func run() async throws {
        try await gracefulShutdown()
        ended()
    }
}
