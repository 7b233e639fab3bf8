import AsyncHTTPClient
import NIOCore

extension HTTPClientResponse.Body {
    /// Reads the whole body, no longer than until a deadline: that of `HTTPClient.execute` ends with the head.
    ///
    /// A connection whose body does not come to its end is closed.
    ///
    /// - Throws: `HTTPClientError.deadlineExceeded`, as for a head that comes too late; `NIOTooManyBytesError`; what
    ///   broke the connection.
    public func collect(upTo limit: Int, by end: NIODeadline) async throws -> ByteBuffer {
        try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
            group.addTask { try await self.collect(upTo: limit) }
            group.addTask {
                // The deadline itself; cancelled when the end of the body comes first.
                try await Task.sleep(for: .nanoseconds((end - NIODeadline.now()).nanoseconds))
                throw HTTPClientError.deadlineExceeded
            }
            let body = try await group.next()
            group.cancelAll()
            return body ?? ByteBuffer()
        }
    }
}
