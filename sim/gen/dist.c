/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers and distributions in integers: the C library's log and exp may differ in their
 * last bit from machine to machine. */
#include "dist.h"

#define Q32 (UINT64_C(1) << 32)

__extension__ typedef unsigned __int128 wide;

uint64_t bounce_random_next(struct bounce_random *random)
{
    uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t bounce_random_below(struct bounce_random *random, uint64_t bound)
{
    uint64_t unfair = (0 - bound) % bound; /* values below it would come up once more than others */
    uint64_t value;

    do
        value = bounce_random_next(random);
    while (value < unfair);
    return value % bound;
}

/* log2 of a number from 1 on, 32 bits behind the point. */
static uint64_t log2_fixed(uint64_t value)
{
    unsigned whole = 63 - (unsigned)__builtin_clzll(value);
    uint64_t x = value << (63 - whole); /* 1.0 is 2^63 */
    uint64_t result = (uint64_t)whole << 32;

    for (uint64_t bit = Q32 / 2; bit; bit /= 2) {
        wide square = (wide)x * x;

        if (square >> 127) {
            result += bit;
            x = (uint64_t)(square >> 64);
        } else {
            x = (uint64_t)(square >> 63);
        }
    }
    return result;
}

/* 2^(2^-k), k from 1, 2^62 is 1.0 */
static const uint64_t roots[] = {
    UINT64_C(0x5a827999fcef3242), UINT64_C(0x4c1bf828c6dc54b8), UINT64_C(0x45cae0f1f545eb73),
    UINT64_C(0x42d561b3e6243d8a), UINT64_C(0x4166c34c5615d0ec), UINT64_C(0x40b268f9de0183ba),
    UINT64_C(0x4058f6a7ecccd5b6), UINT64_C(0x402c6be96af2fb58), UINT64_C(0x4016321b687027a8),
    UINT64_C(0x400b18178ba33b14), UINT64_C(0x40058bce410147e8), UINT64_C(0x4002c5d7bff71daf),
    UINT64_C(0x400162e807ee7e5b), UINT64_C(0x4000b1730df6a524), UINT64_C(0x400058b9497b8152),
    UINT64_C(0x40002c5c955dd701), UINT64_C(0x4000162e46d6f26c), UINT64_C(0x40000b1722757b1b),
    UINT64_C(0x4000058b90fd3e0c), UINT64_C(0x400002c5c86f3f26), UINT64_C(0x40000162e433c79b),
    UINT64_C(0x400000b17218edd0), UINT64_C(0x40000058b90c3968), UINT64_C(0x4000002c5c860d54),
    UINT64_C(0x400000162e4302d2), UINT64_C(0x4000000b17218073), UINT64_C(0x400000058b90bffc),
    UINT64_C(0x40000002c5c85fef), UINT64_C(0x4000000162e42ff3), UINT64_C(0x40000000b17217f9),
    UINT64_C(0x4000000058b90bfc), UINT64_C(0x400000002c5c85fe),
};

/* value * 2^exponent, the exponent with 32 bits behind the point; saturates. */
static uint64_t scaled(uint64_t value, int64_t exponent)
{
    int64_t whole = exponent >> 32;
    uint64_t fraction = (uint64_t)exponent & (Q32 - 1);
    uint64_t factor = UINT64_C(1) << 62;
    wide product;

    for (unsigned k = 0; k < sizeof(roots) / sizeof(roots[0]); k++)
        if (fraction & Q32 / 2 >> k)
            factor = (uint64_t)((wide)factor * roots[k] >> 62);
    product = (wide)value * factor;
    if (whole > 62)
        return value ? UINT64_MAX : 0;
    if (whole >= 0)
        product = product >> (62 - whole);
    else
        product = whole < -64 ? 0 : product >> 62 >> -whole;
    return product >> 64 ? UINT64_MAX : (uint64_t)product;
}

uint64_t dist_exponential(uint64_t mean, struct bounce_random *random)
{
    uint64_t minus_log2 = (UINT64_C(64) << 32) - log2_fixed(bounce_random_next(random) | 1);
    wide minus_ln = (wide)minus_log2 * UINT64_C(2977044472); /* ln 2, 32 bits behind the point */
    wide value = minus_ln / Q32 * mean / Q32;

    return value >> 64 ? UINT64_MAX : (uint64_t)value;
}

/* The sum of twelve uniform numbers is close to normal, variance 1 about 6. */
static int64_t normal_fixed(struct bounce_random *random)
{
    int64_t sum = -6 * (int64_t)Q32;

    for (int i = 0; i < 6; i++) {
        uint64_t two = bounce_random_next(random);

        sum += (int64_t)(two >> 32) + (int64_t)(two & (Q32 - 1));
    }
    return sum;
}

static uint64_t log_normal(uint64_t median, uint64_t p99, struct bounce_random *random)
{
    int64_t spread = (int64_t)log2_fixed(p99) - (int64_t)log2_fixed(median);
    int64_t sigma = spread * 1000 / 2326; /* the 99th percentile is 2.326 sigma up */
    int64_t z = normal_fixed(random);

    return scaled(median, (sigma / 65536) * (z / 65536));
}

static uint64_t from_values(const struct bounce_dist *dist, struct bounce_random *random)
{
    uint64_t wanted = bounce_random_below(random, dist->bins[dist->nbins - 1].count);
    size_t low = 0, high = dist->nbins - 1;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (dist->bins[middle].count > wanted)
            high = middle;
        else
            low = middle + 1;
    }
    return dist->bins[low].value;
}

bool dist_is_empty(const struct bounce_dist *dist)
{
    if (dist->kind == BOUNCE_DIST_VALUES)
        return !dist->nbins || !dist->bins[dist->nbins - 1].count;
    return dist->a == 0 && dist->b == 0;
}

uint64_t bounce_dist_draw(const struct bounce_dist *dist, struct bounce_random *random)
{
    uint64_t step = dist->step ? dist->step : 1;

    if (dist_is_empty(dist))
        return 0;
    switch ((enum bounce_dist_kind)dist->kind) {
    case BOUNCE_DIST_UNIFORM:
        if (dist->b <= dist->a)
            return dist->a;
        if (dist->b - dist->a == UINT64_MAX)
            return bounce_random_next(random);
        return dist->a + bounce_random_below(random, (dist->b - dist->a) / step + 1) * step;
    case BOUNCE_DIST_EXPONENTIAL:
        return dist_exponential(dist->a, random);
    case BOUNCE_DIST_LOG_NORMAL:
        return dist->b > dist->a && dist->a ? log_normal(dist->a, dist->b, random) : dist->a;
    case BOUNCE_DIST_VALUES:
        return from_values(dist, random);
    case BOUNCE_DIST_CONSTANT:
        break;
    }
    return dist->a;
}
