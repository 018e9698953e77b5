/* SPDX-License-Identifier: Apache-2.0 */
/* The answer as a person reads it: cause first, then the numbers, then what to do. */
#include "bounce/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WIDTH  98u
#define INDENT 13u

struct sink {
    char *text;
    size_t size;
    size_t length;
};

static void put(struct sink *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct sink *to, const char *format, ...)
{
    size_t room = to->size - to->length;
    va_list list;
    va_start(list, format);
    int n = vsnprintf(to->text + to->length, room, format, list);
    va_end(list);
    if (n > 0)
        to->length += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_item(struct sink *to, const char *label, const char *content, bool bullet)
{
    put(to, "  %-11s%s", label, bullet ? "- " : "");
    size_t indent = bullet ? INDENT + 2 : INDENT;
    size_t column = indent;
    for (const char *at = content + strspn(content, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (column > indent && column + 1 + n > WIDTH) {
            put(to, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (column > indent) {
            put(to, " ");
            column++;
        }
        put(to, "%.*s", (int)n, at);
        column += n;
        at += n;
    }
    put(to, "\n");
}

static void put_request(struct sink *to, const struct bounce_log_record *r)
{
    if (!(r->has & BOUNCE_LOG_HAS_SIZE))
        put(to, "size not told");
    else
        put(to, "%s%" PRIu64 " bytes", r->has & BOUNCE_LOG_NEGATIVE ? "-" : "", r->size);
}

static void put_pool(struct sink *to, const struct bounce_explain_group *g)
{
    const struct bounce_log_record *r = &g->record;
    if (!(r->has & BOUNCE_LOG_HAS_TOTAL)) {
        put(to, "not printed");
        return;
    }
    put(to, "%" PRIu64 " slots", r->total);
    if (!(r->has & BOUNCE_LOG_HAS_USED))
        return;
    if (g->used_least < g->used_most)
        put(to, ", %" PRIu64 " to %" PRIu64 " used", g->used_least, g->used_most);
    else
        put(to, ", %" PRIu64 " used, %" PRIu64 " free", r->used, g->result.free);
}

size_t bounce_explain_item(const char *label, const char *content, bool bullet, char *text,
                           size_t size)
{
    struct sink to = {text, size, 0};
    put_item(&to, label, content, bullet);
    return to.length;
}

size_t bounce_explain_row(const struct bounce_explain_group *group, char *text, size_t size)
{
    char request[64];
    struct sink part = {request, sizeof request, 0};
    put_request(&part, &group->record);
    struct sink to = {text, size, 0};
    put(&to, "%8" PRIu64 "  %-18s%-19s%s, pool ", group->count,
        bounce_explain_cause_name(group->result.cause), request,
        group->device[0] ? group->device : "(no device)");
    put_pool(&to, group);
    return to.length;
}

size_t bounce_explain_text(const struct bounce_explain_group *group, char *text, size_t size)
{
    struct sink to = {text, size, 0};
    const struct bounce_explain_result *result = &group->result;
    const char *words = bounce_explain_cause_words(result->cause);
    put(&to, "%c%s [%s]\n", words[0] - 'a' + 'A', words + 1,
        bounce_explain_cause_name(result->cause));

    if (group->device[0])
        put_item(&to, "device", group->device, false);
    char line[128];
    struct sink part = {line, sizeof line, 0};
    put_request(&part, &group->record);
    if (result->needed_known)
        put(&part, " = %" PRIu64 " slot%s of %u bytes", result->needed,
            result->needed == 1 ? "" : "s", group->options.slot_size);
    put_item(&to, "request", line, false);
    part.length = 0;
    put_pool(&part, group);
    put_item(&to, "pool", line, false);

    struct bounce_log_record record = bounce_explain_group_record(group);
    struct bounce_advice advice;
    bounce_explain_advise(&group->options, &record, result, &advice);
    put_item(&to, "why", advice.why, false);
    for (unsigned i = 0; i < advice.helps_count; i++)
        put_item(&to, i ? "" : "helps", advice.helps[i], true);
    for (unsigned i = 0; i < advice.no_help_count; i++)
        put_item(&to, i ? "" : "no help", advice.no_help[i], true);
    return to.length;
}
