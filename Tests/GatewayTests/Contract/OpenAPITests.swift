import TestKit
import Testing

@testable import GatewayService

@Suite struct OpenAPITests {
    @Test func everyDocumentedPathIsRoutedAndOnlyTheStreamIsTheGatewaysOwn() throws {
        let document = try OpenAPIDocument.load()
        var own: Set<String> = []
        for operation in document.operations.keys {
            switch GatewayRoute(path: operation.path[...]) {
            case .service: break
            case .events: own.insert("\(operation)")
            case .live, .ready, .none: Issue.record("\(operation) is not routed")
            }
            #expect(GatewayRoute(path: "\(operation.path)/") == GatewayRoute(path: operation.path[...]))
        }
        #expect(own == ["GET \(GatewayRoute.eventsPath)"])
    }

    @Test func theStreamDocumentsWhoMayListenAndWhatElseMayBeAnswered() throws {
        let document = try OpenAPIDocument.load()
        let details = document.operations[.init(method: "GET", path: "\(GatewayRoute.eventsPath)")]
        #expect(details?.isPublic == false && details?.hasBody == false)
        #expect(details?.statuses == [200, 400, 403, 429, 503])
    }

    @Test func whatIsDocumentedIsWhatTheStreamAnswers() async throws {
        let path = "\(GatewayRoute.eventsPath)"
        try await RunningGateway.with { gateway in
            let answers = [
                try await gateway.ask("GET \(path) HTTP/1.1\r\nhost: a\r\n\r\n"),
                try await gateway.ask("GET \(path) HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx"),
                try await gateway.ask("POST \(path) HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
            ]
            #expect(answers.map { $0?.status } == [403, 400, 405])
        }
    }
}
