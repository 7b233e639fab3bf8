import CHiredis
import NIOCore

/// Puts together what hiredis reads. hiredis reports values depth first, so a stack of open arrays is enough.
final class ReplyBuilder {
    private var open: [(missing: Int, values: [RESPValue])] = []
    private var finished: RESPValue?
    private var bytes = 0
    private let maxBytes: Int

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    /// The reply that is complete, if one is.
    func take() -> RESPValue? {
        guard let reply = finished else { return nil }
        finished = nil
        bytes = 0
        return reply
    }

    /// What a value costs beyond its bytes, so that an endless array of small ones meets the bound too.
    private static let overhead = 32

    private func admit(_ count: Int) -> Bool {
        bytes += count + Self.overhead
        return bytes <= maxBytes
    }

    private func add(_ value: RESPValue) {
        var value = value
        while !open.isEmpty {
            let last = open.count - 1
            open[last].values.append(value)
            open[last].missing -= 1
            guard open[last].missing == 0 else { return }
            value = .array(open.removeLast().values)
        }
        finished = value
    }

    private func addString(_ type: Int32, _ text: UnsafeRawBufferPointer) -> Bool {
        guard admit(text.count) else { return false }
        switch type {
        case REDIS_REPLY_STATUS: add(.simple(String(decoding: text, as: UTF8.self)))
        case REDIS_REPLY_ERROR: add(.error(RedisServerError(message: String(decoding: text, as: UTF8.self))))
        default: add(.bulk(ByteBuffer(bytes: text)))
        }
        return true
    }

    private func addArray(_ count: Int) -> Bool {
        guard admit(0) else { return false }
        if count == 0 {
            add(.array([]))
        } else {
            // The count is what the server claims: nothing is reserved on its word alone.
            var values: [RESPValue] = []
            values.reserveCapacity(min(count, 64))
            open.append((missing: count, values: values))
        }
        return true
    }

    /// The table of callbacks, the same for every reader; hiredis keeps the pointer, so it is never freed.
    /// `nonisolated(unsafe)`: written once, here, and only read afterwards.
    nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        let table = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        table.initialize(
            to: redisReplyObjectFunctions(
                createString: { task, text, count in
                    ReplyBuilder.build(task) {
                        $0.addString($1.type, UnsafeRawBufferPointer(start: text, count: count))
                    }
                },
                createArray: { task, count in ReplyBuilder.build(task) { builder, _ in builder.addArray(Int(count)) } },
                createInteger: { task, number in
                    ReplyBuilder.build(task) { builder, _ in
                        guard builder.admit(0) else { return false }
                        builder.add(.integer(number))
                        return true
                    }
                },
                createNil: { task in
                    ReplyBuilder.build(task) { builder, _ in
                        guard builder.admit(0) else { return false }
                        builder.add(.null)
                        return true
                    }
                },
                // Values are the builder's, the "objects" only marks: there is nothing to free.
                freeObject: { _ in }))
        return table
    }()

    /// hiredis wants a pointer for every object; it never looks behind it. nil tells it to stop with an error.
    @inline(__always)
    private static func build(
        _ task: UnsafePointer<redisReadTask>?, _ add: (ReplyBuilder, redisReadTask) -> Bool
    ) -> UnsafeMutableRawPointer? {
        guard let task, let context = task.pointee.privdata else { return nil }
        let builder = Unmanaged<ReplyBuilder>.fromOpaque(context).takeUnretainedValue()
        return add(builder, task.pointee) ? context : nil
    }
}
