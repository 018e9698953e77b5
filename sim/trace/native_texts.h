/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that stand beside the events of a native file: what its recorder wrote of the machine. */
#ifndef TRACE_NATIVE_TEXTS_H
#define TRACE_NATIVE_TEXTS_H

#include "reader.h"

#define NATIVE_TEXT_NAME_MAX 63u
#define NATIVE_TEXTS_MAX     16u         /* of one file */
#define NATIVE_TEXTS_BYTES   (24u << 20) /* of all of them */

/* A name that stands for a file of an archive: letters, digits, and ".-_". */
bool native_text_name(const char *name, size_t length);

/* The payload of a TEXT chunk. NULL, or what is wrong with it; "out of memory" is `*memory`. */
const char *native_texts_add(struct trace_texts *texts, const unsigned char *p, size_t length,
                             bool *memory);

#endif
