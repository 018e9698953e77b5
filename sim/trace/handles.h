/* SPDX-License-Identifier: Apache-2.0 */
/* Small numbers for what is live, the newest free one first, with a row of the reader's own each.
 */
#ifndef TRACE_HANDLES_H
#define TRACE_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

#define HANDLES_LATE 1024u

/* The order may place a map that failed until record `until`: only then its handle is another's. */
struct late_handle {
    uint64_t until;
    uint32_t handle;
};

struct handles {
    uint32_t first; /* those below are never given out; set it before the first call */
    uint32_t used;  /* ever, of those below `first` all; 0: none yet */
    uint32_t room;
    uint32_t nfree;
    uint32_t *free;                        /* stack */
    struct late_handle late[HANDLES_LATE]; /* ring, the oldest first */
    uint32_t late_head;
    uint32_t nlate;
};

void handles_destroy(struct handles *h);

/* All are free again. O(1). */
void handles_clear(struct handles *h);

/* LIVE_LIMIT are live. */
bool handles_exhausted(const struct handles *h);

/* A free one for record `seq` (0: the order is exact). *rows, which is of `row_size` bytes each,
 * grows with them and has a row for it. False: out of memory, or handles_exhausted(). Amortised
 * O(1). */
bool handles_take(struct handles *h, uint64_t seq, void *rows, uint32_t row_size, uint32_t *handle);

/* Free, but not given out before a record after `until`; 0: at once. O(1). */
void handles_give(struct handles *h, uint32_t handle, uint64_t until);

#endif
