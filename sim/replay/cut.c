/* SPDX-License-Identifier: Apache-2.0 */
#include "cut.h"

#include "bounce/boot.h"

#define SECTOR      512u
#define PAGE_SHIFT  12u
#define PAGE_SIZE   (1u << PAGE_SHIFT)
#define LOWEST_ADDR UINT64_C(0x100000000)
#define ADDR_PAGES  (UINT64_C(1) << (36 - PAGE_SHIFT)) /* 64 GiB */

/* swiotlb_max_mapping_size(), in whole pages. */
static uint64_t largest_mapping(const struct bounce_device *device)
{
    uint64_t slot = UINT64_C(1) << BOUNCE_SLOT_SHIFT;
    uint64_t most = (uint64_t)BOUNCE_SEGMENT_SLOTS << BOUNCE_SLOT_SHIFT;
    uint64_t lost = 0;

    if (device->min_align_mask)
        lost = ((uint64_t)device->min_align_mask | (slot - 1)) + 1;
    most = lost < most / 2 ? most - lost : most / 2;
    return most & ~(uint64_t)(PAGE_SIZE - 1);
}

static uint64_t divided_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

struct cut cut_request(const struct bounce_event *issue, const struct bounce_device *device)
{
    struct cut cut = {.list = issue->segments > 1, .most = largest_mapping(device)};
    uint64_t pieces = divided_up(issue->size, cut.most), units;

    if (cut.list) {
        uint64_t sectors = divided_up(issue->size, SECTOR);
        uint64_t told = issue->segments < sectors ? issue->segments : sectors;

        if (pieces < told)
            pieces = told;
        cut.unit = divided_up(issue->size, PAGE_SIZE) >= pieces ? PAGE_SIZE : SECTOR;
        units = divided_up(issue->size, cut.unit);
        cut.units_each = units / pieces;
        cut.one_more = (uint32_t)(units % pieces);
    }
    cut.pieces = (uint32_t)pieces;
    return cut;
}

uint64_t cut_piece(const struct cut *cut, uint32_t piece, uint64_t left)
{
    uint64_t size = cut->most;

    if (cut->list)
        size = (cut->units_each + (piece < cut->one_more)) * cut->unit;
    return size < left ? size : left;
}

uint64_t cut_address(uint64_t seed, uint64_t number)
{
    uint64_t x = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return LOWEST_ADDR + (x % ADDR_PAGES << PAGE_SHIFT);
}
