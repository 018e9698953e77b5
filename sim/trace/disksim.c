/* SPDX-License-Identifier: Apache-2.0 */
/* DiskSim's ASCII traces: "MILLISECONDS DEVICE LBA SECTORS FLAGS", bit 0 of the flags set for a
 * read. The decimal point of the time tells them from those of MQSim. Source of the layout: the
 * DiskSim 4.0 reference manual, "ascii" trace format. */
#include "formats.h"
#include "sector_rows.h"

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    bool fraction;

    (void)state;
    return sector_row(c, 6, &fraction, row);
}

static const struct line_format lines = {
    .what = "not a row of a DiskSim trace",
    .wanted = "MILLISECONDS DEVICE LBA SECTORS FLAGS was expected",
    .parse = parse,
};

/* As parse(), of files that say so themselves. */
static enum row_result parse_certain(struct row_state *state, struct cursor c, struct row *row)
{
    bool fraction = true;
    enum row_result result = sector_row(c, 6, &fraction, row);

    (void)state;
    return fraction ? result : ROW_BAD;
}

static int detect(const char *text, size_t length)
{
    static const struct line_format certain = {.parse = parse_certain};

    return text_detect(text, length, &certain, 60);
}

const struct bounce_format_ops format_disksim = TEXT_FORMAT(detect, lines);
