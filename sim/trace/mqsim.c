/* SPDX-License-Identifier: Apache-2.0 */
/* ASCII traces of MQSim and SSDsim: "NANOSECONDS DEVICE LBA SECTORS TYPE", type 1 read, 0 write.
 * Source of the layout: the README of MQSim. */
#include "formats.h"
#include "sector_rows.h"

static enum row_result parse(struct row_state *state, struct cursor c, struct row *row)
{
    bool fraction = false;
    enum row_result result = sector_row(c, 0, &fraction, row);

    (void)state;
    return fraction ? ROW_BAD : result;
}

static const struct line_format lines = {
    .what = "not a row of an MQSim or SSDsim trace",
    .wanted = "NANOSECONDS DEVICE LBA SECTORS TYPE was expected (times in milliseconds: --format "
              "disksim)",
    .parse = parse,
    .guessed_unit = true,
};

static int detect(const char *text, size_t length)
{
    return text_detect(text, length, &lines, 50);
}

const struct bounce_format_ops format_mqsim = TEXT_FORMAT(detect, lines);
