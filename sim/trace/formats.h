/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRACE_FORMATS_H
#define TRACE_FORMATS_H

#include "reader.h"

extern const struct bounce_format_ops format_ftrace;
extern const struct bounce_format_ops format_ops;

#endif
