/* SPDX-License-Identifier: Apache-2.0 */
/* How the rate of a stream goes over time: bursts and days. */
#ifndef GEN_ARRIVALS_H
#define GEN_ARRIVALS_H

#include "bounce/gen.h"

/* When a stream's clock, which stands while the stream is off, shows that time; saturates. */
uint64_t arrivals_time(const struct bounce_gen_stream *stream, uint64_t clock_ns);

/* The rate at that time of the period, in thousandths: low at its begin, 1000 in its middle. The
 * square of a sine, which is good to 0.2 % (Bhaskara I). */
uint64_t arrivals_permille(const struct bounce_gen_stream *stream, uint64_t time_ns);

#endif
