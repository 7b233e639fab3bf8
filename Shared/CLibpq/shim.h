#include <libpq-fe.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// prctl is variadic, which Swift can't call.
static inline void clibpq_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// The kernel's asynchronous I/O (io_submit(2)) has no functions in the C library, and syscall is variadic too.

// Room for one operation at a time; 0 where there is none.
static inline aio_context_t clibpq_aio_setup(void) {
    aio_context_t context = 0;
    return syscall(SYS_io_setup, 1, &context) == 0 ? context : 0;
}

// Waits for what it has under way: tens of milliseconds.
static inline void clibpq_aio_destroy(aio_context_t context) { syscall(SYS_io_destroy, context); }

// Asks to be told through the eventfd, once, that one of the events is there on the descriptor.
static inline bool clibpq_aio_poll(aio_context_t context, int descriptor, short events, int eventfd) {
    struct iocb operation = {
        .aio_lio_opcode = IOCB_CMD_POLL,
        .aio_fildes = descriptor,
        .aio_buf = (unsigned short)events,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = eventfd,
    };
    struct iocb *operations[] = {&operation};
    return syscall(SYS_io_submit, context, 1, operations) == 1;
}

// Takes the result of one operation, which makes room for the next; false when there is none.
static inline bool clibpq_aio_take(aio_context_t context) {
    struct io_event result;
    struct timespec none = {0, 0};
    return syscall(SYS_io_getevents, context, 0, 1, &result, &none) == 1;
}
