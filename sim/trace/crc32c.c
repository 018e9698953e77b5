/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"

#define REFLECTED UINT32_C(0x82f63b78)

void crc32c_init(struct crc32c *crc)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t sum = i;

        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? REFLECTED : 0);
        crc->table[0][i] = sum;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int n = 1; n < 8; n++)
            crc->table[n][i] =
                crc->table[n - 1][i] >> 8 ^ crc->table[0][crc->table[n - 1][i] & 255];
}

/* Eight bytes at a time: one look-up each, none of which waits for another. */
uint32_t crc32c_add(const struct crc32c *crc, uint32_t sum, const void *bytes, size_t length)
{
    const unsigned char *p = bytes;

    sum = ~sum;
    for (; length >= 8; length -= 8, p += 8)
        sum = crc->table[7][(sum ^ p[0]) & 255] ^ crc->table[6][(sum >> 8 ^ p[1]) & 255] ^
              crc->table[5][(sum >> 16 ^ p[2]) & 255] ^ crc->table[4][(sum >> 24 ^ p[3]) & 255] ^
              crc->table[3][p[4]] ^ crc->table[2][p[5]] ^ crc->table[1][p[6]] ^ crc->table[0][p[7]];
    while (length--)
        sum = sum >> 8 ^ crc->table[0][(sum ^ *p++) & 255];
    return ~sum;
}
