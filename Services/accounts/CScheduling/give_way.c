#define _GNU_SOURCE
#include "CScheduling.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// As sched_setattr(2) has it; <linux/sched/types.h> can't be included beside <sched.h>.
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

// Linux shares the cores among groups of processes first: sessions (sched(7), "The autogroup feature"), or containers.
// Policies and nice values count within a group only. Between groups three things let one that wakes take the core from
// one that runs, instead of waiting for the next tick, 4 ms and more: it is owed more of the core than the other, which is so
// at once where the other weighs little; its slice is the shorter one (EEVDF, Linux 6.12 and later); and it is not SCHED_BATCH.
void scheduling_give_way(void) {
    // A session of its own is a group of its own, whose weight anybody may lower. Not to the least: whoever logs in while
    // somebody else uses all cores should wait for seconds at most.
    setsid();
    int group = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (group >= 0) {
        // But for root, Linux takes one such change in a tenth of a second from the whole machine.
        for (int tries = 0; tries < 20 && write(group, "10", 2) < 0 && errno == EAGAIN; tries++)
            usleep(50 * 1000);
        close(group);
    }

    // The longest slice that may be had, in nanoseconds.
    const uint64_t slice = 100 * 1000 * 1000;
    struct attributes wanted = {.size = sizeof wanted, .policy = SCHED_BATCH, .nice = 19, .runtime = slice};
    struct attributes got = {.size = sizeof got};
    if (syscall(SYS_sched_setattr, 0, &wanted, 0) == 0 && syscall(SYS_sched_getattr, 0, &got, sizeof got, 0) == 0 &&
        got.runtime == slice)
        return;
    // Older kernels know no slices; there this gives way at once to all of the same group.
    struct sched_param none = {.sched_priority = 0};
    sched_setscheduler(0, SCHED_IDLE, &none);
}

#else

void scheduling_give_way(void) {}

#endif
