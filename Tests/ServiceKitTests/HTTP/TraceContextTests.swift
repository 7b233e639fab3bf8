import ServiceKit
import Testing

@Suite struct TraceContextTests {
    @Test func `a trace goes on with a step of its own`() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
        let trace = TraceContext(continuing: parent)
        #expect(trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(trace.traceparent.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-"))
        #expect(trace.traceparent.hasSuffix("-00"))
        #expect(trace.traceparent != parent)
        #expect(TraceContext(continuing: trace.traceparent).traceID == trace.traceID)
        #expect(TraceContext(continuing: "cc" + parent.dropFirst(2) + "-more").traceID == trace.traceID)
    }

    @Test(
        arguments: [
            nil, "", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-001",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ] as [String?])
    func `what is not well-formed starts a new one`(field: String?) {
        let trace = TraceContext(continuing: field)
        #expect(trace.traceID.utf8.count == 32)
        #expect(!trace.traceID.hasPrefix("4bf92f"))
        #expect(trace.traceparent.utf8.count == 55)
    }
}
