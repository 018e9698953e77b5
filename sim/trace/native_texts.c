/* SPDX-License-Identifier: Apache-2.0 */
#include "native_texts.h"

#include <stdlib.h>
#include <string.h>

bool native_text_name(const char *name, size_t length)
{
    static const char others[] = ".-_";

    if (!length || length > NATIVE_TEXT_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && (!c || !strchr(others, c)))
            return false;
    }
    return true;
}

static struct bounce_trace_text *find(const struct trace_texts *texts, const unsigned char *name,
                                      size_t length)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strlen(texts->list[i].name) == length && memcmp(texts->list[i].name, name, length) == 0)
            return &texts->list[i];
    return NULL;
}

/* A new text, with its name behind the struct's pointers. */
static struct bounce_trace_text *add(struct trace_texts *texts, const unsigned char *name,
                                     size_t length)
{
    struct bounce_trace_text *more;
    char *copy = malloc(length + 1);

    if (!copy)
        return NULL;
    more = realloc(texts->list, (texts->count + 1) * sizeof(*more));
    if (!more) {
        free(copy);
        return NULL;
    }
    memcpy(copy, name, length);
    copy[length] = '\0';
    texts->list = more;
    more += texts->count++;
    *more = (struct bounce_trace_text){.name = copy};
    return more;
}

const char *native_texts_add(struct trace_texts *texts, const unsigned char *p, size_t length,
                             bool *memory)
{
    size_t name_length = length ? *p : 0;
    struct bounce_trace_text *text;
    const unsigned char *name = p + 1;
    bool goes_on;
    char *bytes;

    *memory = false;
    if (length < name_length + 2 || !native_text_name((const char *)name, name_length))
        return "a text without a name";
    goes_on = name[name_length] != 0;
    p = name + name_length + 1;
    length -= name_length + 2;
    text = find(texts, name, name_length);
    if (goes_on && !text)
        return "a text that goes on before it begins";
    if (!text && texts->count == NATIVE_TEXTS_MAX)
        return "more texts than a recording has";
    if (text && !goes_on) {
        texts->bytes -= text->length;
        text->length = 0;
    }
    if (length > NATIVE_TEXTS_BYTES - texts->bytes)
        return "more text than a recording has";
    *memory = true;
    if (!text && !(text = add(texts, name, name_length)))
        return "out of memory";
    bytes = realloc(text->text, text->length + length + 1);
    if (!bytes)
        return "out of memory";
    if (length)
        memcpy(bytes + text->length, p, length);
    text->text = bytes;
    text->length += length;
    bytes[text->length] = '\0';
    texts->bytes += length;
    *memory = false;
    return NULL;
}

void trace_texts_free(struct trace_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->list[i].name);
        free(texts->list[i].text);
    }
    free(texts->list);
}
