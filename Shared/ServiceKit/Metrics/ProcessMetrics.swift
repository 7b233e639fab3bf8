#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the operating system knows of this process (Linux, proc(5)).
public enum ProcessMetrics {
    /// Measures memory, file descriptors and processor time with every exposition.
    public static func install(in registry: PrometheusRegistry) {
        registry.set("process_start_time_seconds", to: Double(WallClock.microseconds) / 1_000_000)
        registry.collect { registry in
            if let bytes = residentBytes() { registry.set("process_resident_memory_bytes", to: Double(bytes)) }
            if let count = openDescriptors() { registry.set("process_open_fds", to: Double(count)) }
            registry.set("process_cpu_seconds", to: processorSeconds())
        }
    }

    private static func residentBytes() -> Int? {
        // The second number of statm is the resident set, in pages.
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return nil }
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let words = text.split(separator: " ")
        guard words.count > 1, let pages = Int(words[1]) else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without `.`, `..` and the descriptor of the directory itself.
        return count - 3
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }
}
