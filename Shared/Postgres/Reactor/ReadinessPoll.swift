import CLibpq
import Glibc

/// Tells an event loop that knows nothing of a descriptor when there is something to read from it, without a thread that
/// would watch it: the kernel writes to an eventfd, which the loop can read like a pipe (io_submit(2), IOCB_CMD_POLL and
/// IOCB_FLAG_RESFD). It tells once for each time it is asked.
final class ReadinessPoll: Sendable {
    /// Readable when the kernel has told. To be closed by whoever reads it.
    let eventDescriptor: Int32
    private let context: aio_context_t

    /// nil where the system has no such thing: before Linux 4.19, in some sandboxes, or when too much of it is in use
    /// (`fs.aio-max-nr`).
    init?() {
        let context = clibpq_aio_setup()
        guard context != 0 else { return nil }
        let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        // Whether polls are known: an eventfd can be written to, so this one is over at once.
        guard descriptor >= 0, clibpq_aio_poll(context, descriptor, Int16(POLLOUT), descriptor),
            clibpq_aio_take(context)
        else {
            if descriptor >= 0 { close(descriptor) }
            clibpq_aio_destroy(context)
            return nil
        }
        self.context = context
        self.eventDescriptor = descriptor
    }

    deinit {
        // Takes tens of milliseconds, which an event loop has not. Without a thread it is the process's end that does it.
        _ = DetachedThread.start("postgres-poll") { [context] in clibpq_aio_destroy(context) }
    }

    /// Asks to be told when there is something to read from `descriptor`; at once if there is already.
    ///
    /// - Returns: false if the system refused for now.
    func tell(of descriptor: Int32) -> Bool {
        clibpq_aio_poll(context, descriptor, Int16(POLLIN), eventDescriptor)
    }

    /// Tells though nothing happened: ``take()`` has nothing then.
    func tellAnyway() {
        eventfd_write(eventDescriptor, 1)
    }

    /// To be called when it has told, before it is asked again.
    ///
    /// - Returns: false when it had not, or without having been asked.
    func take() -> Bool {
        clibpq_aio_take(context)
    }
}
