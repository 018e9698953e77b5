/* SPDX-License-Identifier: Apache-2.0 */
/* The process that reads a trace.dat file with libtracecmd, apart from ours: the library prints,
 * exits and crashes on what it does not understand. It writes lines to a pipe:
 *
 *   C CPUS                  first
 *   E CPU NS EVENT ARGS     an event that readers of kernel events know, as the kernel would print
 * it O COUNT                 that many others M COUNT                 events that the recorder lost
 * here X REASON                it cannot be read Z                       the end, without which it
 * was cut */
#ifndef TRACE_TRACEDAT_CHILD_H
#define TRACE_TRACEDAT_CHILD_H

/* Never returns. `file` and `pipe` become the only descriptors besides /dev/null. */
_Noreturn void tracedat_child(int file, int pipe);

#endif
