// SPDX-License-Identifier: Apache-2.0
// Runs an `ops` stream through a kernel-tree plug-in and prints the answers, as tests/golden has
// them. With --time: how long the allocator calls took, and no answers.
//
//   oracle [--dynamic] [--restricted] [--natural-alloc] [--time] PLUGIN [OPS]
//
// The whole stream is read and checked before the first call, so that nothing but the calls is
// timed. Exit status: 0 done (a LOCKUP is an answer), 1 could not do it, 2 usage or stream refused.
#define _POSIX_C_SOURCE 200809L // getline, clock_gettime
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_DEVICES = 4096, TIMED_RUNS = 21 };

struct op {
    char kind;       // M A U S W
    uint8_t dir;     // M; of the mapping for U and S
    bool alloc;      // U: of an A
    bool for_cpu;    // S
    uint32_t device; // of the mapping for U and S
    uint32_t cpu;
    uint32_t align_mask;
    uint32_t map; // index in the table of mappings
    uint64_t orig;
    uint64_t size;
    uint64_t offset; // S
};

struct answer {
    enum bounce_kt_status status;
    bool worked; // S: something was copied; W: there was work
    uint32_t locks;
    uint64_t probes;
    uint64_t tlb_addr; // S: original address
    uint64_t used;     // S: bytes; W: slots
    uint64_t hiwater;
};

struct mapping {
    uint64_t id;
    uint32_t device;
    uint8_t dir;
    bool alloc, over;
    uint64_t size;
};

struct stream {
    const char *name;
    struct bounce_kt_config pool;
    struct bounce_kt_device_config devices[MAX_DEVICES];
    uint32_t device_count;
    bool has_pool, has_alloc;
    struct op *ops;
    size_t op_count, op_room;
    struct mapping *maps; // in order of appearance
    size_t map_count, map_room;
    uint32_t *table; // id -> index in maps + 1, open addressing
    size_t table_size;
};

static void die(int status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("bouncesim: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(status);
}

static void *grow(void *array, size_t *room, size_t item) {
    *room = *room ? *room * 2 : 1024;
    void *bigger = realloc(array, *room * item);
    if (!bigger)
        die(1, "out of memory");
    return bigger;
}

// ---- ids ----

static size_t place_of(const struct stream *s, uint64_t id) {
    size_t at = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (s->table_size - 1);
    while (s->table[at] && s->maps[s->table[at] - 1].id != id)
        at = (at + 1) & (s->table_size - 1);
    return at;
}

static void rehash(struct stream *s) {
    free(s->table);
    s->table_size = s->table_size ? s->table_size * 2 : 4096;
    s->table = calloc(s->table_size, sizeof(*s->table));
    if (!s->table)
        die(1, "out of memory");
    for (size_t i = 0; i < s->map_count; i++)
        s->table[place_of(s, s->maps[i].id)] = (uint32_t)i + 1;
}

// ---- reading ----

static void refuse(const struct stream *s, size_t line, const char *what) {
    die(2, "%s:%zu: %s", s->name, line, what);
}

// Numbers of a line, in the bases given as letters: d decimal, x hex.
static bool numbers(const char *text, const char *bases, uint64_t *out, const char **rest) {
    for (; *bases; bases++, out++) {
        char *end;
        while (*text == ' ')
            text++;
        if (*text == '-' || *text == '+')
            return false;
        errno = 0;
        *out = strtoull(text, &end, *bases == 'x' ? 16 : 10);
        if (end == text || errno || (*end != ' ' && *end != '\0'))
            return false;
        text = end;
    }
    while (*text == ' ')
        text++;
    *rest = text;
    return true;
}

static void read_pool(struct stream *s, size_t line, const uint64_t *n) {
    if (s->has_pool)
        refuse(s, line, "a second P line; there is one pool set-up");
    if (n[1] == 0 || n[1] > 65536 || n[2] > 65536)
        refuse(s, line, "CPUs must be 1 to 65536, areas 0 to 65536");
    s->has_pool = true;
    s->pool.slots = n[0];
    s->pool.cpus = (uint32_t)n[1];
    s->pool.areas = (uint32_t)n[2];
    s->pool.pool_start = n[3];
}

static void read_device(struct stream *s, size_t line, const uint64_t *n) {
    if (n[0] != s->device_count || n[0] >= MAX_DEVICES)
        refuse(s, line, "devices are numbered 0, 1, 2 ... in order");
    if (n[1] > UINT32_MAX)
        refuse(s, line, "min_align_mask is too large");
    s->devices[s->device_count++] = (struct bounce_kt_device_config){
        .min_align_mask = (uint32_t)n[1], .seg_boundary = n[2], .dma_mask = n[3]};
}

static void read_mapping(struct stream *s, size_t line, struct op *op, uint64_t id) {
    if (op->device >= s->device_count)
        refuse(s, line, "no such device");
    if (s->map_count * 2 >= s->table_size)
        rehash(s);
    size_t at = place_of(s, id);
    if (s->table[at] && !s->maps[s->table[at] - 1].over)
        refuse(s, line, "this id is in use");
    if (s->map_count == s->map_room)
        s->maps = grow(s->maps, &s->map_room, sizeof(*s->maps));
    s->maps[s->map_count] = (struct mapping){
        .id = id, .device = op->device, .dir = op->dir, .alloc = op->kind == 'A', .size = op->size};
    op->map = (uint32_t)s->map_count++;
    s->table[at] = op->map + 1;
    s->has_alloc |= op->kind == 'A';
}

static void find_mapping(struct stream *s, size_t line, struct op *op, uint64_t id) {
    uint32_t found = s->table_size ? s->table[place_of(s, id)] : 0;
    if (!found || s->maps[found - 1].over)
        refuse(s, line, "this id is not mapped");
    struct mapping *map = &s->maps[found - 1];
    op->map = found - 1;
    op->device = map->device;
    op->dir = map->dir;
    op->alloc = map->alloc;
    if (op->kind == 'U') {
        map->over = true;
        op->size = map->size;
    }
}

static void read_line(struct stream *s, size_t line, const char *text) {
    uint64_t n[8];
    const char *rest = "";
    struct op op = {.kind = text[0]};
    bool fine = text[0] && (text[1] == ' ' || text[1] == '\0');
    const char *bases = "";
    switch (fine ? text[0] : 0) {
    case 'P':
        bases = "dddx";
        break;
    case 'D':
        bases = "dxxx";
        break;
    case 'M':
        bases = "dddxdxd";
        break;
    case 'A':
        bases = "dddd";
        break;
    case 'U':
        bases = "d";
        break;
    case 'S':
        bases = "dxd";
        break;
    case 'W':
        break;
    default:
        refuse(s, line, "unknown operation; known are P D M A U S W");
    }
    if (!numbers(text + 1, bases, n, &rest))
        refuse(s, line, "missing, malformed or too large number");
    if (op.kind == 'S' && (rest[0] == 'C' || rest[0] == 'D') && rest[1] == '\0')
        op.for_cpu = rest[0] == 'C';
    else if (op.kind == 'S' || *rest)
        refuse(s, line, op.kind == 'S' ? "must end in C or D" : "more than belongs on this line");

    if (op.kind == 'P') {
        read_pool(s, line, n);
        return;
    }
    if (op.kind == 'D') {
        read_device(s, line, n);
        return;
    }
    if (!s->has_pool)
        refuse(s, line, "the P line must come first");
    if (op.kind == 'M' || op.kind == 'A') {
        if (n[1] > UINT32_MAX || n[2] > UINT32_MAX ||
            (op.kind == 'M' && (n[5] > UINT32_MAX || n[6] > 2)))
            refuse(s, line, "CPU, device, alloc_align_mask or direction is too large");
        op.cpu = (uint32_t)n[1];
        op.device = (uint32_t)n[2];
        op.size = op.kind == 'M' ? n[4] : n[3];
        if (op.kind == 'M') {
            op.orig = n[3];
            op.align_mask = (uint32_t)n[5];
            op.dir = (uint8_t)n[6];
        }
        read_mapping(s, line, &op, n[0]);
    } else if (op.kind != 'W') {
        if (op.kind == 'S') {
            op.offset = n[1];
            op.size = n[2];
        }
        find_mapping(s, line, &op, n[0]);
    }
    if (s->op_count == s->op_room)
        s->ops = grow(s->ops, &s->op_room, sizeof(*s->ops));
    s->ops[s->op_count++] = op;
}

static void read_stream(struct stream *s, FILE *in) {
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    for (size_t line = 1; (length = getline(&text, &room, in)) >= 0; line++) {
        if (length && text[length - 1] == '\n')
            text[--length] = '\0';
        if (length && text[0] != '#')
            read_line(s, line, text);
    }
    if (ferror(in))
        die(1, "%s: %s", s->name, strerror(errno));
    if (!s->has_pool)
        die(2, "%s: no P line", s->name);
    free(text);
}

// ---- running ----

static struct bounce_kt *set_up(const struct bounce_kt_plugin *plugin, const struct stream *s) {
    struct bounce_kt *kt = NULL;
    enum bounce_kt_status status = plugin->create(&s->pool, &kt);
    if (status == BOUNCE_KT_INVALID)
        die(2, "%s: the P line asks for a pool that cannot be", s->name);
    if (status == BOUNCE_KT_UNSUPPORTED)
        die(2, "the plug-in cannot do what the options ask for; was it built with --dynamic?");
    if (status != BOUNCE_KT_OK)
        die(1, "%s: the plug-in could not set the pool up (status %d)", s->name, (int)status);
    for (uint32_t i = 0; i < s->device_count; i++) {
        uint32_t number;
        status = plugin->add_device(kt, &s->devices[i], &number);
        if (status != BOUNCE_KT_OK || number != i)
            die(2, "%s: device %" PRIu32 " is refused (status %d)", s->name, i, (int)status);
    }
    return kt;
}

// Where the plug-in put each mapping; 0: it failed, which no address is.
static uint64_t *tlb_of;

static enum bounce_kt_status run_one(const struct bounce_kt_plugin *plugin, struct bounce_kt *kt,
                                     const struct op *op, struct answer *out) {
    struct bounce_kt_map_result result;
    struct bounce_kt_copy copy = {0};
    uint64_t tlb = op->kind == 'W' ? 0 : tlb_of[op->map];
    switch (op->kind) {
    case 'M':
        plugin->map(kt, op->device, op->cpu, op->orig, op->size, op->align_mask,
                    (enum bounce_kt_dir)op->dir, 0, &result);
        break;
    case 'A':
        plugin->alloc(kt, op->device, op->cpu, op->size, &result);
        break;
    case 'U':
        if (!tlb)
            return BOUNCE_KT_OK;
        if (op->alloc)
            return plugin->free(kt, op->device, tlb, op->size);
        return plugin->unmap(kt, op->device, tlb, op->size, (enum bounce_kt_dir)op->dir, 0, NULL);
    case 'S':
        if (!tlb)
            return BOUNCE_KT_OK;
        out->status = plugin->sync(kt, op->device, tlb + op->offset, op->size,
                                   (enum bounce_kt_dir)op->dir, op->for_cpu, &copy);
        out->worked = copy.copied;
        out->tlb_addr = copy.orig;
        out->used = copy.bytes;
        return out->status;
    default:
        return plugin->run_worker(kt, &out->worked);
    }
    out->status = result.status;
    out->locks = result.locks;
    out->probes = result.probes;
    out->tlb_addr = result.tlb_addr;
    tlb_of[op->map] = result.status == BOUNCE_KT_OK ? result.tlb_addr : 0;
    return result.status;
}

// Returns how many operations were run; the last one may be a lockup.
static size_t run_all(const struct bounce_kt_plugin *plugin, struct bounce_kt *kt,
                      const struct stream *s, struct answer *answers, bool counters) {
    for (size_t i = 0; i < s->op_count; i++) {
        struct answer *out = &answers[i];
        enum bounce_kt_status status = run_one(plugin, kt, &s->ops[i], out);
        if (__builtin_expect(status > BOUNCE_KT_OVERSIZE, 0)) {
            out->status = status;
            return i + 1;
        }
        if (counters) {
            struct bounce_kt_counters now;
            plugin->counters(kt, &now);
            if (s->ops[i].kind == 'W')
                out->used = now.nslabs;
            else if (s->ops[i].kind != 'S')
                out->used = now.used;
            out->hiwater = now.used_hiwater;
        }
    }
    return s->op_count;
}

static void print_answer(const struct stream *s, const struct op *op, const struct answer *a,
                         bool probes) {
    uint64_t id = op->kind == 'W' ? 0 : s->maps[op->map].id;
    switch (op->kind) {
    case 'U':
        printf("u %" PRIu64 " %" PRIu64 "\n", id, a->used);
        return;
    case 'S':
        if (a->worked)
            printf("s %" PRIu64 " %" PRIx64 " %" PRIu64 "\n", id, a->tlb_addr, a->used);
        else
            printf("s %" PRIu64 " none\n", id);
        return;
    case 'W':
        if (a->worked)
            printf("w %" PRIu64 "\n", a->used);
        return;
    default:
        break;
    }
    printf("%" PRIu64 " ", id);
    if (a->status == BOUNCE_KT_OK)
        printf("%" PRIx64, a->tlb_addr);
    else
        printf("FULL");
    printf(" %" PRIu64 " %" PRIu64 " ", a->used, a->hiwater);
    if (probes)
        printf("%" PRIu64, a->probes);
    else
        putchar('-');
    printf(" %" PRIu32 "\n", a->locks);
}

static void load(const char *path, struct bounce_kt_library *library) {
    char why[1024];
    if (!bounce_kt_load(path, library, why, sizeof(why)))
        die(1, "%s", why);
}

static int answer_stream(const char *path, const struct stream *s, struct answer *answers) {
    struct bounce_kt_library library;
    load(path, &library);
    const struct bounce_kt_plugin *plugin = library.plugin;
    bool probes = (plugin->features & BOUNCE_KT_PROBES) != 0;
    struct bounce_kt *kt = set_up(plugin, s);
    size_t count = run_all(plugin, kt, s, answers, true);
    int exit_status = 0;
    for (size_t i = 0; i < count; i++) {
        if (answers[i].status == BOUNCE_KT_LOCKUP) {
            printf("LOCKUP %zu\n", i);
        } else if (answers[i].status > BOUNCE_KT_OVERSIZE) {
            fprintf(stderr, "bouncesim: %s: operation %zu: %s (status %d)\n", s->name, i,
                    answers[i].status == BOUNCE_KT_BUG ? "a BUG_ON of the tree came true"
                                                       : "the plug-in refused it",
                    (int)answers[i].status);
            exit_status = 1;
        } else {
            print_answer(s, &s->ops[i], &answers[i], probes);
        }
    }
    plugin->destroy(kt);
    bounce_kt_unload(&library);
    return exit_status;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Several runs, each on a fresh pool: the median is steady where other work shares the machine.
static int time_stream(const char *path, const struct stream *s, struct answer *answers) {
    double ns[TIMED_RUNS];
    size_t count = 0;
    for (int run = 0; run < TIMED_RUNS; run++) {
        struct bounce_kt_library library;
        struct timespec from, to;
        load(path, &library);
        struct bounce_kt *kt = set_up(library.plugin, s);
        memset(answers, 0, s->op_count * sizeof(*answers));
        memset(tlb_of, 0, s->map_count * sizeof(*tlb_of));
        clock_gettime(CLOCK_MONOTONIC, &from);
        count = run_all(library.plugin, kt, s, answers, false);
        clock_gettime(CLOCK_MONOTONIC, &to);
        double passed =
            (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        ns[run] = count ? passed / (double)count : 0;
        library.plugin->destroy(kt);
        bounce_kt_unload(&library);
    }
    qsort(ns, TIMED_RUNS, sizeof(*ns), compare);
    fprintf(stderr, "ns_per_op median %.1f min %.1f operations %zu runs %d\n", ns[TIMED_RUNS / 2],
            ns[0], count, TIMED_RUNS);
    return 0;
}

int main(int argc, char **argv) {
    static struct stream s;
    bool timed = false;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--dynamic") == 0)
            s.pool.dynamic = true;
        else if (strcmp(argv[at], "--restricted") == 0)
            s.pool.restricted = true;
        else if (strcmp(argv[at], "--natural-alloc") == 0)
            s.pool.natural_alloc = true;
        else if (strcmp(argv[at], "--time") == 0)
            timed = true;
        else
            die(2, "unknown option %s", argv[at]);
    }
    if (argc - at < 1 || argc - at > 2)
        die(2, "usage: oracle [--dynamic] [--restricted] [--natural-alloc] [--time] PLUGIN [OPS]");
    const char *plugin = argv[at];
    bool from_file = argc - at == 2 && strcmp(argv[at + 1], "-") != 0;
    s.name = from_file ? argv[at + 1] : "standard input";
    s.pool.force = true;
    FILE *in = from_file ? fopen(s.name, "r") : stdin;
    if (!in)
        die(1, "%s: %s", s.name, strerror(errno));
    read_stream(&s, in);
    if (from_file)
        fclose(in);

    struct answer *answers = calloc(s.op_count + 1, sizeof(*answers));
    tlb_of = calloc(s.map_count + 1, sizeof(*tlb_of));
    if (!answers || !tlb_of)
        die(1, "out of memory");
    int status = timed ? time_stream(plugin, &s, answers) : answer_stream(plugin, &s, answers);
    if (fflush(stdout) || ferror(stdout))
        die(1, "standard output: %s", strerror(errno));
    free(answers);
    free(tlb_of);
    free(s.ops);
    free(s.maps);
    free(s.table);
    return status;
}
