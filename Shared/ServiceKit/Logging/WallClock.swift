#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The time of day, without Foundation's Date in the way.
public enum WallClock {
    /// Microseconds since the Unix epoch.
    public static var microseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }

    /// Whole seconds since the Unix epoch.
    public static var seconds: Int64 { microseconds / 1_000_000 }
}
