/* SPDX-License-Identifier: Apache-2.0 */
/* Building the sentences of struct bounce_advice. */
#ifndef BOUNCE_EXPLAIN_ADVICE_H
#define BOUNCE_EXPLAIN_ADVICE_H

#include "bounce/explain.h"

struct advising {
    const struct bounce_explain_options *options;
    const struct bounce_log_record *record;
    const struct bounce_explain_result *result;
    struct bounce_advice *advice;
    size_t why_length;
};

/* Adds a sentence; what does not fit is left off at the end. */
void advice_why(struct advising *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void advice_help(struct advising *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void advice_no_help(struct advising *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void advice_may_be(struct advising *a, const char *name);

/* advice_run.c: BOUNCE_EXPLAIN_NO_RUN, the one that takes arithmetic. */
void advise_no_run(struct advising *a);

/* "swiotlb=65536 (128 MiB)" for the suggested pool, or a hint when none is sensible. */
void advice_larger_pool(struct advising *a, const char *when);

#endif
