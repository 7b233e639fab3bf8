import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Takes whole lines from any thread and writes them from a thread of its own, many at a time.
///
/// Whoever logs never waits for the disk or a pipe. When the reader of the log falls more than ``limit`` bytes behind,
/// further lines are dropped and counted; the count is written once there is room.
public final class LogWriter: Sendable {
    /// Bytes that may wait to be written.
    public static let limit = 4 * 1024 * 1024

    /// Writes to standard error.
    public static let standardError = LogWriter { bytes in writeAll(bytes, to: STDERR_FILENO) }

    private struct State {
        var waiting = ByteBuffer()
        /// An empty buffer with room, used in turn with ``waiting``.
        var spare = ByteBuffer()
        var isWriting = false
        var dropped = 0
    }

    private let state = Mutex(State())
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let sink: @Sendable (UnsafeRawBufferPointer) -> Void
    /// Held while bytes go out, so that a flush and the thread don't mix theirs.
    private let output = Mutex(())

    /// - Parameter sink: takes bytes for good; it may block.
    public init(_ sink: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) {
        self.sink = sink
        thread.start()
    }

    deinit {
        thread.shutdownGracefully { _ in }
    }

    /// Adds one line; `write` appends it without its line feed.
    public func line(_ write: (inout ByteBuffer) -> Void) {
        let mustWake = state.withLock { state -> Bool in
            guard state.waiting.readableBytes < Self.limit else {
                state.dropped += 1
                return false
            }
            write(&state.waiting)
            state.waiting.writeInteger(UInt8(ascii: "\n"))
            guard !state.isWriting else { return false }
            state.isWriting = true
            return true
        }
        if mustWake { thread.submit { _ in self.drain() } }
    }

    /// Returns when every line added before has been handed to the sink.
    public func flush() {
        drainOnce()
    }

    private func drain() {
        while drainOnce() {
            // The first line after a silence is out at once. Of those that follow closely many go together: otherwise a busy
            // process would wake this thread for nearly every line, which costs its event loops more than the line.
            usleep(Self.pause)
        }
    }

    /// Microseconds for which lines gather while there are any.
    private static let pause: UInt32 = 10_000

    @discardableResult
    private func drainOnce() -> Bool {
        output.withLock { _ in
            var (bytes, dropped) = state.withLock { state -> (ByteBuffer, Int) in
                let taken = (state.waiting, state.dropped)
                state.waiting = state.spare
                state.spare = ByteBuffer()
                state.dropped = 0
                if taken.0.readableBytes == 0 { state.isWriting = false }
                return taken
            }
            guard bytes.readableBytes > 0 else { return false }
            bytes.withUnsafeReadableBytes(sink)
            if dropped > 0 {
                let notice = "{\"level\":\"warning\",\"message\":\"log lines dropped\",\"count\":\(dropped)}\n"
                ByteBuffer(string: notice).withUnsafeReadableBytes(sink)
            }
            bytes.clear()
            // What a burst needed is given back to the system.
            if bytes.capacity <= 64 * 1024 { state.withLock { $0.spare = bytes } }
            return true
        }
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) {
        var rest = bytes
        while let start = rest.baseAddress, rest.count > 0 {
            let written = write(descriptor, start, rest.count)
            if written > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if errno == EAGAIN {
                var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&poller, 1, 1_000)
            } else if errno != EINTR {
                return
            }
        }
    }
}
