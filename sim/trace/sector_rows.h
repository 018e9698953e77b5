/* SPDX-License-Identifier: Apache-2.0 */
/* "TIME DEVICE LBA SECTORS FLAGS": the layout that DiskSim, SSDsim and MQSim share. Only the unit
 * of the time tells them apart. */
#ifndef TRACE_SECTOR_ROWS_H
#define TRACE_SECTOR_ROWS_H

#include "text.h"

/* `digits`: the time's unit is 10^digits ns. *fraction: whether the time had a decimal point. */
enum row_result sector_row(struct cursor line, unsigned digits, bool *fraction, struct row *row);

#endif
