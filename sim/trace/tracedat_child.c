/* SPDX-License-Identifier: Apache-2.0 */
#include "tracedat_child.h"

#include "block_events.h"
#include "kernel_text.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The library is looked for when it is needed, so that nothing needs it to be built or run. What is
 * used of it, as libtracecmd.so.1 and libtraceevent.so.1 have it: */
struct tep_record {
    unsigned long long ts;
    unsigned long long offset;
    long long missed_events;
    int record_size;
    int size;
    void *data;
    int cpu;
    /* more follows */
};

struct trace_seq {
    char *buffer;
    unsigned buffer_size;
    unsigned len;
    unsigned readpos;
    int state; /* 0: all was printed */
};

#define LOAD_NO_PLUGINS 1

typedef int (*record_function)(void *handle, struct tep_record *record, int cpu, void *context);

struct library {
    void *(*open_fd)(int fd, int flags);
    void *(*get_tep)(void *handle);
    int (*buffer_instances)(void *handle);
    void *(*buffer_instance_handle)(void *handle, int index);
    int (*iterate)(void **handles, int count, record_function take, void *context);
    int (*data_type)(void *tep, struct tep_record *record);
    void (*print_event)(void *tep, struct trace_seq *seq, struct tep_record *record,
                        const char *format, ...);
    int (*get_cpus)(void *tep);
    void (*seq_init)(struct trace_seq *seq);
    void (*seq_reset)(struct trace_seq *seq);
};

#define IDS       65536 /* of events: 16 bits in the ring buffer */
#define BUFFERS   64    /* instances that are merged */
#define CPUS      8192  /* the most that Linux can be configured for */
#define OUT_BYTES 65536u

/* Without progress for longer than what it takes to unpack the file it is caught in rubbish. */
#define STUCK_SECONDS  10
#define BYTES_A_SECOND (10 << 20)
#define MEMORY_BYTES   (UINT64_C(4) << 30)

/* Address sanitizers take terabytes of addresses. */
#ifdef __SANITIZE_ADDRESS__
#define LIMIT_MEMORY 0
#endif
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define LIMIT_MEMORY 0
#endif
#endif
#ifndef LIMIT_MEMORY
#define LIMIT_MEMORY 1
#endif

struct child {
    struct library lib;
    struct trace_seq seq;
    unsigned char known[IDS]; /* 0: not looked at, 1: ours, 2: another */
    uint64_t others;
    void *handles[BUFFERS];
    int buffers;
    uint64_t seen_to[BUFFERS][CPUS]; /* offset behind which the next record of a CPU starts */
    rlim_t stuck_seconds;
    int pipe;
    size_t used;
    char out[OUT_BYTES];
};

static void allow_more_time(const struct child *c)
{
    struct rusage used;
    struct rlimit limit;

    if (getrusage(RUSAGE_SELF, &used))
        return;
    limit.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + c->stuck_seconds;
    limit.rlim_max = RLIM_INFINITY;
    (void)setrlimit(RLIMIT_CPU, &limit);
}

static void flush(struct child *c)
{
    size_t at = 0;

    while (at < c->used) {
        ssize_t n = write(c->pipe, c->out + at, c->used - at);

        if (n <= 0)
            _exit(1); /* nobody wants it any more */
        at += (size_t)n;
    }
    c->used = 0;
    allow_more_time(c);
}

static void put(struct child *c, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (c->used == OUT_BYTES)
            flush(c);
        c->out[c->used++] = text[i];
    }
}

static void put_number(struct child *c, char kind, uint64_t number)
{
    char text[32];

    put(c, text,
        (size_t)snprintf(text, sizeof(text), "%c %llu\n", kind, (unsigned long long)number));
}

_Noreturn static void stop(struct child *c, const char *reason)
{
    put(c, "X ", 2);
    put(c, reason, strlen(reason));
    put(c, "\n", 1);
    flush(c);
    _exit(1);
}

static bool is_ours(const char *name, size_t length)
{
    return kernel_text_find(name, length) || block_event_kind(name, length) >= 0;
}

/* The event's name and arguments in c->seq; false when they could not be printed. */
static bool print(struct child *c, void *tep, struct tep_record *record, const char *what)
{
    c->lib.seq_reset(&c->seq);
    c->lib.print_event(tep, &c->seq, record, "%s", what);
    return c->seq.state == 0 && c->seq.len < c->seq.buffer_size;
}

static bool known(struct child *c, void *tep, struct tep_record *record)
{
    int id = c->lib.data_type(tep, record);

    if (id < 0 || id >= IDS)
        return false;
    if (!c->known[id])
        c->known[id] = print(c, tep, record, "NAME") && is_ours(c->seq.buffer, c->seq.len) ? 1 : 2;
    return c->known[id] == 1;
}

/* The library walks a damaged page in circles, for ever: the place of a record is held against that
 * of the one before. */
static void must_go_on(struct child *c, const void *handle, const struct tep_record *record)
{
    int buffer = 0;

    while (buffer < c->buffers - 1 && c->handles[buffer] != handle)
        buffer++;
    if (record->cpu < 0 || record->cpu >= CPUS || record->size < 0 ||
        record->offset < c->seen_to[buffer][record->cpu])
        stop(c,
             "libtracecmd finds records that lead back to earlier ones: this trace.dat is damaged");
    c->seen_to[buffer][record->cpu] = record->offset + 1;
}

/* Process, softirq, hardirq or NMI: by common_flags, the third byte of every record. */
static unsigned level_of(const struct tep_record *record)
{
    unsigned flags = record->size > 2 ? ((const unsigned char *)record->data)[2] : 0;

    return flags & 0x40 ? 3 : flags & 0x08 ? 2 : flags & 0x10 ? 1 : 0;
}

static int take(void *handle, struct tep_record *record, int cpu, void *context)
{
    struct child *c = context;
    void *tep = c->lib.get_tep(handle);
    char text[96];

    (void)cpu;
    must_go_on(c, handle, record);
    if (record->missed_events)
        put(c, text,
            (size_t)snprintf(text, sizeof(text), "M %d %lld\n", record->cpu,
                             record->missed_events > 0 ? (long long)record->missed_events : 1));
    if (!known(c, tep, record)) {
        if (++c->others == OUT_BYTES) {
            put_number(c, 'O', c->others);
            flush(c);
            c->others = 0;
        }
        return 0;
    }
    put(c, text,
        (size_t)snprintf(text, sizeof(text), "E %d %u %llu ", record->cpu, level_of(record),
                         record->ts));
    if (print(c, tep, record, "NAME"))
        put(c, c->seq.buffer, c->seq.len);
    put(c, " ", 1);
    if (print(c, tep, record, "INFO"))
        for (unsigned i = 0; i < c->seq.len; i++)
            put(c, c->seq.buffer[i] == '\n' ? " " : &c->seq.buffer[i], 1);
    put(c, "\n", 1);
    return 0;
}

/* POSIX has a function be cast from an object pointer this way. */
static bool find(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
    return *(void **)function != NULL;
}

static bool load(struct library *lib)
{
    void *library = dlopen("libtracecmd.so.1", RTLD_NOW);
    void (*set_loglevel)(int) = NULL;

    if (!library || !find(library, "tracecmd_open_fd", &lib->open_fd) ||
        !find(library, "tracecmd_get_tep", &lib->get_tep) ||
        !find(library, "tracecmd_buffer_instances", &lib->buffer_instances) ||
        !find(library, "tracecmd_buffer_instance_handle", &lib->buffer_instance_handle) ||
        !find(library, "tracecmd_iterate_events_multi", &lib->iterate) ||
        !find(library, "tep_data_type", &lib->data_type) ||
        !find(library, "tep_print_event", &lib->print_event) ||
        !find(library, "tep_get_cpus", &lib->get_cpus) ||
        !find(library, "trace_seq_init", &lib->seq_init) ||
        !find(library, "trace_seq_reset", &lib->seq_reset))
        return false;
    if (find(library, "tracecmd_set_loglevel", &set_loglevel))
        set_loglevel(0);
    return true;
}

/* Of whatever the library does: no handler of ours runs, no core is left. */
static void die_quietly(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGPIPE, SIGALRM, SIGSEGV, SIGBUS,
                                  SIGFPE, SIGILL,  SIGABRT, SIGXCPU, SIGXFSZ};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static void leave_the_others(int file, int pipe)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fd != file && fd != pipe)
            (void)dup2(null, fd);
    for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
        if (fd != file && fd != pipe)
            (void)close(fd);
}

_Noreturn void tracedat_child(int file, int pipe)
{
    static struct child child; /* of this process alone */
    struct child *c = &child;
    struct stat status;
    int instances;

    die_quietly();
    leave_the_others(file, pipe);
    c->stuck_seconds = STUCK_SECONDS;
    if (fstat(file, &status) == 0)
        c->stuck_seconds += (rlim_t)(status.st_size / BYTES_A_SECOND);
    allow_more_time(c);
    if (LIMIT_MEMORY)
        (void)setrlimit(RLIMIT_AS, &(struct rlimit){MEMORY_BYTES, MEMORY_BYTES});
    c->pipe = pipe;
    if (!load(&c->lib))
        stop(c, "this is trace-cmd's trace.dat, and libtracecmd is not installed (Debian: "
                "libtracecmd1); or give the text that `trace-cmd report` prints of it");
    c->handles[0] = c->lib.open_fd(file, LOAD_NO_PLUGINS);
    if (!c->handles[0])
        stop(c, "libtracecmd cannot open this trace.dat: it is damaged or cut, or /tmp has no room "
                "to unpack it; the text that `trace-cmd report` prints of it is read too");
    c->buffers = 1;
    instances = c->lib.buffer_instances(c->handles[0]);
    for (int i = 0; i < instances && c->buffers < BUFFERS; i++) {
        c->handles[c->buffers] = c->lib.buffer_instance_handle(c->handles[0], i);
        c->buffers += c->handles[c->buffers] != NULL;
    }
    put_number(c, 'C', (uint64_t)c->lib.get_cpus(c->lib.get_tep(c->handles[0])));
    c->lib.seq_init(&c->seq);
    if (c->lib.iterate(c->handles, c->buffers, take, c) < 0)
        stop(c, "libtracecmd finds this trace.dat damaged");
    put_number(c, 'O', c->others);
    put(c, "Z\n", 2);
    flush(c);
    _exit(0);
}
