import NIOCore

/// What goes out on a stream.
extension LiveDispatcher {
    /// Writes what a listener has not been told yet, as much as its client takes.
    ///
    /// - Parameter end: nothing beyond this; nil for no end.
    func pump(_ listener: LiveListener, through end: LiveCursor? = nil) {
        guard listener.isConfirmed, !listener.isFlowing, listener.client.isWritable else { return }
        for (source, replay) in zip(ServiceName.allCases, replays) { settle(listener, source, replay) }
        var text = lane.takeBuffer()
        defer { lane.giveBack(text) }
        if listener.owesReset {
            listener.owesReset = false
            resets.increment()
            writeID(listener.seen, to: listener, into: &text)
            text.writeStaticString("event: reset\ndata: {}\n\n")
        }
        for (source, replay) in zip(ServiceName.allCases, replays) {
            while let seen = listener.seen[source], let event = replay.next(after: seen, for: listener.user),
                end == nil || event.position <= end?[source] ?? -1
            {
                listener.seen[source] = event.position
                write(event, to: listener, into: &text)
                guard text.readableBytes > 8 * 1024 else { continue }
                send(text, to: listener)
                text.clear()
                // The rest when it has been read.
                if !listener.client.isWritable { return hold(listener) }
            }
        }
        if text.readableBytes > 0 { send(text, to: listener) }
        guard listener.client.isWritable else { return hold(listener) }
        // What lies beyond the end has not been told: who flows counts as told everything.
        if let end { listener.seen = listener.seen.furthest(end) } else { listener.isFlowing = true }
    }

    /// Writes an event that has just come to a listener that has been told everything before it.
    func write(_ event: LiveEvent, to listener: LiveListener) {
        if let seen = listener.seen[event.source], seen >= event.position { return }
        listener.seen[event.source] = event.position
        var text = lane.takeBuffer()
        write(event, to: listener, into: &text)
        send(text, to: listener)
        lane.giveBack(text)
        if !listener.client.isWritable { hold(listener) }
    }

    /// The client has read what it was sent.
    func isWritable(_ listener: LiveListener) {
        listener.blockedSince = nil
        if listener.isConfirmed { pump(listener) } else if isOwed(listener) { verify(listener) }
    }

    private func write(_ event: LiveEvent, to listener: LiveListener, into text: inout ByteBuffer) {
        var cursor = listener.seen
        if listener.isFlowing { cursor = cursor.furthest(told) }
        writeID(cursor, to: listener, into: &text)
        text.writeImmutableBuffer(event.text)
    }

    private func writeID(_ cursor: LiveCursor, to listener: LiveListener, into text: inout ByteBuffer) {
        listener.lastID = cursor
        text.writeStaticString("id: ")
        cursor.write(into: &text)
        text.writeStaticString("\n")
    }

    private func send(_ text: ByteBuffer, to listener: LiveListener) {
        listener.lastWrite = lane.now
        listener.client.sendPiece(text)
    }

    /// From here on the listener is told by ``pump(_:)``.
    private func hold(_ listener: LiveListener) {
        if listener.isFlowing { listener.seen = listener.seen.furthest(told) }
        listener.isFlowing = false
        if !listener.client.isWritable, listener.blockedSince == nil { listener.blockedSince = lane.now }
    }

    /// The first thing on a stream: how long to wait after its end, and where it begins.
    func greet(_ listener: LiveListener) {
        var text = lane.takeBuffer()
        defer { lane.giveBack(text) }
        text.writeStaticString("retry: ")
        text.writeDecimal(Int(limits.retry.nanoseconds / 1_000_000))
        text.writeStaticString("\n")
        if listener.seen != LiveCursor() { writeID(listener.seen, to: listener, into: &text) }
        text.writeStaticString("\n")
        send(text, to: listener)
    }

    /// A comment, so that whoever is in between sees life, and the present as `id`, so that whoever comes back after a
    /// quiet time need not be told of it again.
    func beat(_ listener: LiveListener) {
        var text = lane.takeBuffer()
        defer { lane.giveBack(text) }
        text.writeStaticString(":\n")
        let cursor = listener.isFlowing ? listener.seen.furthest(told) : listener.seen
        if cursor != listener.lastID { writeID(cursor, to: listener, into: &text) }
        text.writeStaticString("\n")
        send(text, to: listener)
    }
}
