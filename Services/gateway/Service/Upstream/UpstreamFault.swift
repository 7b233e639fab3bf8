import NIOCore
import NIOHTTP1

/// Why an upstream gave no whole answer.
enum UpstreamFault: Error, Equatable {
    /// No connection was made: nothing can have been carried out.
    case unreachable
    /// No address is worth trying, or all are busy to the limit.
    case noneAvailable
    /// The connection ended before the first byte of an answer.
    case endedBeforeAnswer
    /// The connection ended within an answer.
    case endedWithinAnswer
    /// The answer is no HTTP that can be passed on.
    case badAnswer
    /// Too long until the answer's first byte, or between two pieces of it.
    case timedOut
}

/// How the body of an answer is framed.
enum ResponseBody: Equatable {
    case none
    case length(Int)
    case chunked
    case untilClose
}

/// Whoever waits for an upstream's answer. Everything is called on the event loop of both connections.
protocol UpstreamReceiver: AnyObject {
    /// - Parameter serial: what was given with the wish, for a receiver that may want something else by now. One that
    ///   does must give the connection back.
    func upstreamConnected(_ connection: UpstreamConnection, serial: UInt64)
    /// No connection; nothing has been sent.
    func upstreamRefused(_ fault: UpstreamFault, by endpoint: UpstreamEndpoint?, serial: UInt64)
    func upstreamHead(_ head: HTTPResponseHead, body: ResponseBody)
    func upstreamBody(_ bytes: ByteBuffer)
    /// The answer is whole; the connection is no longer the receiver's.
    func upstreamEnd()
    /// The answer will not become whole; the connection is no longer the receiver's.
    func upstreamFailed(_ fault: UpstreamFault)
    /// Nothing more has been read for now.
    func upstreamReadComplete()
    /// Whether more of the request may be written.
    func upstreamWritability(_ isWritable: Bool)
}
