import Metrics
import ServiceKit
import Testing

@Suite struct PrometheusTests {
    @Test func `counters, gauges and histograms are written as Prometheus reads them`() {
        let registry = PrometheusRegistry()
        Counter(label: "hits_total", dimensions: [("path", "/a\\b\"c\nd"), ("9x.y", "ü")], factory: registry).increment(
            by: 3)
        Counter(label: "hits_total", dimensions: [("path", "z")], factory: registry).increment()
        Counter(label: "hits_total", dimensions: [("path", "z")], factory: registry).increment()
        FloatingPointCounter(label: "sum", factory: registry).increment(by: 1.5)
        let gauge = Meter(label: "pool.size", factory: registry)
        gauge.set(5)
        gauge.decrement(by: 2)
        Recorder(label: "last", dimensions: [], aggregate: false, factory: registry).record(-7)
        let timer = Timer(label: "took_seconds", dimensions: [("k", "v")], factory: registry)
        timer.recordMilliseconds(2)
        timer.recordSeconds(20)
        let text = String(buffer: registry.exposition())
        let expected = """
            # TYPE hits_total counter
            hits_total{path="/a\\\\b\\"c\\nd",_9x_y="ü"} 3
            hits_total{path="z"} 2
            # TYPE sum counter
            sum 1.5
            # TYPE last gauge
            last -7
            # TYPE pool_size gauge
            pool_size 3
            # TYPE took_seconds histogram
            took_seconds_bucket{k="v",le="0.0001"} 0

            """
        #expect(text.hasPrefix(expected))
        #expect(text.contains("took_seconds_bucket{k=\"v\",le=\"0.001\"} 0\n"))
        #expect(text.contains("took_seconds_bucket{k=\"v\",le=\"0.0025\"} 1\n"))
        #expect(text.contains("took_seconds_bucket{k=\"v\",le=\"10\"} 1\n"))
        #expect(
            text.hasSuffix(
                "took_seconds_bucket{k=\"v\",le=\"+Inf\"} 2\ntook_seconds_sum{k=\"v\"} 20.002\ntook_seconds_count{k=\"v\"} 2\n"
            ))
    }
}
