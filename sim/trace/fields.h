/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of text as fields. */
#ifndef TRACE_FIELDS_H
#define TRACE_FIELDS_H

#include "scan.h"

struct field {
    const char *at;
    size_t length;
};

#define BLANKS ' ' /* as a separator: any run of blanks */

/* Splits into at most `most` fields, without the blanks and the pair of quotes around each. Returns
 * how many there are, most + 1 when there are more. */
size_t fields_split(struct cursor c, char separator, struct field *fields, size_t most);

bool field_is(const struct field *field, const char *text); /* whatever the case of its letters */

/* Of a row that was split into n fields of which this is the first: it is empty or a comment. */
bool field_begins_note(const struct field *first, size_t n);

/* A whole number; "4096.0" is one, as programs write them that know no others. */
bool field_decimal(const struct field *field, uint64_t *value);
bool field_hex(const struct field *field, uint64_t *value);

/* A decimal number with or without a fraction or an exponent, times 10^digits: "1.5" is 1500000 for
 * 6 digits. What is finer is cut off. */
bool field_scaled(const struct field *field, unsigned digits, uint64_t *value);
bool scan_scaled(struct cursor *c, unsigned digits, uint64_t *value);

/* A count of 512-byte sectors, in bytes. */
bool field_sectors(const struct field *field, uint64_t *bytes);

#endif
