/* SPDX-License-Identifier: Apache-2.0 */
#include "arrivals.h"

static uint64_t saturating_mul(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t arrivals_time(const struct bounce_gen_stream *stream, uint64_t clock_ns)
{
    uint64_t whole;

    if (!stream->on_ns)
        return clock_ns;
    whole = saturating_mul(clock_ns / stream->on_ns, stream->on_ns + stream->off_ns);
    return whole > UINT64_MAX - stream->on_ns ? UINT64_MAX : whole + clock_ns % stream->on_ns;
}

uint64_t arrivals_permille(const struct bounce_gen_stream *stream, uint64_t time_ns)
{
    uint64_t period = stream->period_ns, phase = time_ns % period, u, p, sine;

    while (period > UINT64_MAX >> 16) {
        period >>= 1;
        phase >>= 1;
    }
    u = (phase << 16) / period;
    p = u * (65536 - u) >> 16;
    sine = (16 * p << 16) / (5 * 65536 - 4 * p);
    return stream->low_permille + ((1000 - stream->low_permille) * (sine * sine >> 16) >> 16);
}
