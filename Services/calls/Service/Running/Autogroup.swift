#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The weight of this process where Linux shares the cores among sessions first (sched(7), "The autogroup feature").
///
/// Each backend of Postgres is a session there and weighs as much as a whole replica of calls. On a machine that all
/// share, the replicas' threads then take the cores from backends in the midst of their work: fewer requests go
/// together, and more threads sleep and wake for each; the more replicas, the worse. Beside one replica two of them on
/// two cores showed 0.74 of the requests and created 0.83, and 0.94 and 0.98 with less weight. One alone is as fast
/// either way (`bench calls-replicas`).
///
/// It costs a tenth of the speed beside strangers who use all cores. In containers, whose groups are others, it has no
/// effect; there `cpu_shares` does the same (docker-compose.yml).
public enum Autogroup {
    /// Half the weight of a session at 0.
    private static let nice = "3"

    /// Lowers the weight, if the session is this process's own: a terminal's belongs to all that runs in it.
    public static func giveWay() async {
        guard getsid(0) == getpid() else { return }
        // But for root, Linux takes one such change in a tenth of a second from the whole machine.
        for _ in 0..<50 {
            guard set() == EAGAIN, (try? await Task.sleep(for: .milliseconds(.random(in: 50...200)))) != nil else {
                return
            }
        }
    }

    /// - Returns: an `errno`, or 0.
    private static func set() -> Int32 {
        let file = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return errno }
        defer { close(file) }
        return write(file, nice, nice.utf8.count) < 0 ? errno : 0
    }
}
