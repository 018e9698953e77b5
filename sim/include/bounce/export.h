/* SPDX-License-Identifier: Apache-2.0 */
/* What a shared build of the library shows. */
#ifndef BOUNCE_EXPORT_H
#define BOUNCE_EXPORT_H

#ifdef __cplusplus
#define BOUNCE_BEGIN_DECLS extern "C" {
#define BOUNCE_END_DECLS   }
#else
#define BOUNCE_BEGIN_DECLS
#define BOUNCE_END_DECLS
#endif

#define BOUNCE_API __attribute__((visibility("default")))

#endif
