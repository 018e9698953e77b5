/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli: polynomial 0x1edc6f41, reflected, first and last inverted), as iSCSI has it:
 * that of "123456789" is 0xe3069283. */
#ifndef TRACE_CRC32C_H
#define TRACE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

struct crc32c {
    uint32_t table[8][256];
};

void crc32c_init(struct crc32c *crc);

/* Goes on from `sum`, 0 at the start. */
uint32_t crc32c_add(const struct crc32c *crc, uint32_t sum, const void *bytes, size_t length);

#endif
