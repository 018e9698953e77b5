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

/* A fraction in one of the first times: the first may be a plain 0. */
static int detect(const char *text, size_t length)
{
    struct cursor c = {text, text + length};

    if (!text_detect(text, length, &lines, 60))
        return 0;
    for (int i = 0; i < DETECT_LINES && c.at < c.end; i++) {
        const char *newline = memchr(c.at, '\n', (size_t)(c.end - c.at));
        const char *end = newline ? newline : c.end;

        if (*c.at != '#' && memchr(c.at, '.', (size_t)(end - c.at)))
            return 60;
        c.at = newline ? newline + 1 : c.end;
    }
    return 0;
}

const struct bounce_format_ops format_disksim = TEXT_FORMAT(detect, lines);
