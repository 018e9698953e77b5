/* SPDX-License-Identifier: Apache-2.0 */
/* Reading bytes that may be anything: shared by the files of this folder. */
#ifndef BOUNCE_EXPLAIN_SCAN_H
#define BOUNCE_EXPLAIN_SCAN_H

#include "bounce/explain.h"

struct scan {
    const char *at;
    const char *end;
    bool ran_out; /* the text ended inside something that was being matched */
};

/* Position of `word` in [at, end), or NULL. */
const char *scan_find(const char *at, const char *end, const char *word);
/* Skips blanks, then takes `word`; nothing is taken when it is not there. */
bool scan_word(struct scan *s, const char *word);
/* Skips blanks, then takes a decimal number. A number that touches the end of the text is not
 * trusted unless `may_end`: a torn line may have lost digits. False also when it overflows. */
bool scan_number(struct scan *s, bool may_end, uint64_t *value);
/* The same for 0x... */
bool scan_hex(struct scan *s, uint64_t *value);

/* What stands before a message on its line, without the decoration that loggers put in front. */
struct bounce_log_span scan_device(const char *begin, const char *end);

#endif
