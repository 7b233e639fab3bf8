import Metrics
import NIOCore
import Synchronization

/// Keeps the metrics of a process and writes them in the Prometheus text format 0.0.4.
///
/// A `Timer` becomes a histogram in seconds, an aggregating `Recorder` a histogram in its own unit, any other recorder
/// and a `Meter` a gauge. Names are kept as they are, but for characters that Prometheus does not know.
public final class PrometheusRegistry: MetricsFactory {
    private struct Key: Hashable {
        let name: String
        /// The labels as they are written, without braces.
        let labels: String
    }

    private enum Kind: String { case counter, gauge, histogram }

    private struct State {
        var counters: [Key: PrometheusCounter] = [:]
        var gauges: [Key: PrometheusGauge] = [:]
        var histograms: [Key: PrometheusHistogram] = [:]
    }

    private let state = Mutex(State())
    private let collectors = Mutex<[@Sendable (PrometheusRegistry) -> Void]>([])

    public init() {}

    /// Adds something to be measured just before the metrics are written.
    public func collect(_ measure: @escaping @Sendable (PrometheusRegistry) -> Void) {
        collectors.withLock { $0.append(measure) }
    }

    /// Sets a gauge that has no labels.
    public func set(_ name: String, to value: Double) {
        gauge(name, []).set(value)
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> CounterHandler {
        counter(label, dimensions)
    }

    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> FloatingPointCounterHandler {
        counter(label, dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> MeterHandler {
        gauge(label, dimensions)
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> RecorderHandler {
        aggregate ? histogram(label, dimensions, bounds: PrometheusHistogram.plainBounds) : gauge(label, dimensions)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> TimerHandler {
        histogram(label, dimensions, bounds: PrometheusHistogram.secondsBounds)
    }

    // What was counted once is not forgotten because its counter went away. A gauge that is destroyed is of something
    // that is there no longer.
    public func destroyCounter(_ handler: CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: MeterHandler) { forget(handler as? PrometheusGauge) }
    public func destroyRecorder(_ handler: RecorderHandler) { forget(handler as? PrometheusGauge) }
    public func destroyTimer(_ handler: TimerHandler) {}

    private func forget(_ gauge: PrometheusGauge?) {
        guard let gauge else { return }
        state.withLock { state in state.gauges = state.gauges.filter { $0.value !== gauge } }
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> PrometheusCounter {
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            if let known = state.counters[key] { return known }
            let made = PrometheusCounter()
            state.counters[key] = made
            return made
        }
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> PrometheusGauge {
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            if let known = state.gauges[key] { return known }
            let made = PrometheusGauge()
            state.gauges[key] = made
            return made
        }
    }

    private func histogram(
        _ label: String, _ dimensions: [(String, String)], bounds: [Double]
    ) -> PrometheusHistogram {
        let key = Self.key(label, dimensions)
        return state.withLock { state in
            if let known = state.histograms[key] { return known }
            let made = PrometheusHistogram(bounds: bounds)
            state.histograms[key] = made
            return made
        }
    }

    // MARK: Exposition

    /// The media type of ``exposition()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All metrics as they are now.
    public func exposition() -> ByteBuffer {
        for measure in collectors.withLock({ $0 }) { measure(self) }
        let (counters, gauges, histograms) = state.withLock { ($0.counters, $0.gauges, $0.histograms) }
        var text = ByteBufferAllocator().buffer(capacity: 4096)
        Self.each(counters, .counter, &text) { key, counter, text in
            Self.sample(key.name, key.labels, counter.value, &text)
        }
        Self.each(gauges, .gauge, &text) { key, gauge, text in
            Self.sample(key.name, key.labels, gauge.value, &text)
        }
        Self.each(histograms, .histogram, &text) { key, histogram, text in
            let comma = key.labels.isEmpty ? "" : ","
            let snapshot = histogram.snapshot
            for (bound, count) in zip(histogram.bounds + [.infinity], snapshot.cumulative) {
                let labels = "\(key.labels)\(comma)le=\"\(Self.number(bound))\""
                Self.sample("\(key.name)_bucket", labels, Double(count), &text)
            }
            Self.sample("\(key.name)_sum", key.labels, snapshot.sum, &text)
            Self.sample("\(key.name)_count", key.labels, Double(snapshot.cumulative.last ?? 0), &text)
        }
        return text
    }

    private static func each<Metric>(
        _ metrics: [Key: Metric], _ kind: Kind, _ text: inout ByteBuffer,
        _ write: (Key, Metric, inout ByteBuffer) -> Void
    ) {
        var family: String?
        for (key, metric) in metrics.sorted(by: { ($0.key.name, $0.key.labels) < ($1.key.name, $1.key.labels) }) {
            if family != key.name { text.writeString("# TYPE \(key.name) \(kind.rawValue)\n") }
            family = key.name
            write(key, metric, &text)
        }
    }

    private static func sample(_ name: String, _ labels: String, _ value: Double, _ text: inout ByteBuffer) {
        text.writeString(labels.isEmpty ? "\(name) \(number(value))\n" : "\(name){\(labels)} \(number(value))\n")
    }

    private static func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        if value == -.infinity { return "-Inf" }
        if value.isNaN { return "NaN" }
        // Whole numbers without a fraction, as long as a Double holds them exactly.
        if value.rounded() == value, abs(value) < 9_007_199_254_740_992 { return String(Int64(value)) }
        return value.description
    }

    private static func key(_ label: String, _ dimensions: [(String, String)]) -> Key {
        let labels = dimensions.map { "\(name($0.0, colons: false))=\"\(escaped($0.1))\"" }.joined(separator: ",")
        return Key(name: name(label, colons: true), labels: labels)
    }

    private static func name(_ text: String, colons: Bool) -> String {
        var bytes = text.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                byte
            case UInt8(ascii: ":") where colons: byte
            default: UInt8(ascii: "_")
            }
        }
        if bytes.first.map({ (0x30...0x39).contains($0) }) ?? true { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
