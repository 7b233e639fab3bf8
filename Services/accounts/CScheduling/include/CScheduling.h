#ifndef CSCHEDULING_H
#define CSCHEDULING_H

/// Makes the calling thread, the one of its process that works, give way to every other, whose process ever it is of.
void scheduling_give_way(void);

#endif
