/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages: arguments are compiled, never evaluated. */
#ifndef KT_STUBS_MESSAGES_H
#define KT_STUBS_MESSAGES_H

#include "language.h"

static inline void kt_say(const char *format, ...)
{
    (void)format;
}
#define KT_QUIET(...)                                                                              \
    do {                                                                                           \
        if (0)                                                                                     \
            kt_say(__VA_ARGS__);                                                                   \
    } while (0)
#define KT_WARN(condition, ...)                                                                    \
    ({                                                                                             \
        bool kt_bad = (condition);                                                                 \
        if (unlikely(kt_bad))                                                                      \
            kt.warnings++;                                                                         \
        KT_QUIET("" __VA_ARGS__);                                                                  \
        kt_bad;                                                                                    \
    })
#define pr_debug(...)                          KT_QUIET(__VA_ARGS__)
#define pr_info(...)                           KT_QUIET(__VA_ARGS__)
#define pr_info_once(...)                      KT_QUIET(__VA_ARGS__)
#define pr_warn(...)                           KT_QUIET(__VA_ARGS__)
#define pr_warn_once(...)                      KT_QUIET(__VA_ARGS__)
#define pr_warn_ratelimited(...)               KT_QUIET(__VA_ARGS__)
#define pr_err(...)                            KT_QUIET(__VA_ARGS__)
#define dev_dbg(dev, ...)                      KT_QUIET(__VA_ARGS__)
#define dev_info(dev, ...)                     KT_QUIET(__VA_ARGS__)
#define dev_warn(dev, ...)                     KT_QUIET(__VA_ARGS__)
#define dev_warn_once(dev, ...)                KT_QUIET(__VA_ARGS__)
#define dev_warn_ratelimited(dev, ...)         KT_QUIET(__VA_ARGS__)
#define dev_err(dev, ...)                      KT_QUIET(__VA_ARGS__)
#define WARN(condition, ...)                   KT_WARN(condition, __VA_ARGS__)
#define WARN_ONCE(condition, ...)              KT_WARN(condition, __VA_ARGS__)
#define WARN_ON(condition)                     KT_WARN(condition)
#define WARN_ON_ONCE(condition)                KT_WARN(condition)
#define dev_WARN_ONCE(dev, condition, ...)     KT_WARN(condition, __VA_ARGS__)
#define trace_swiotlb_bounced(dev, addr, size) ((void)(dev), (void)(addr), (void)(size))

#endif
