/* SPDX-License-Identifier: GPL-2.0-only */
/* Boot, modules, debugfs and the device tree. */
#ifndef KT_STUBS_BOOT_H
#define KT_STUBS_BOOT_H

#include "language.h"

#define early_param(name, function)
#define late_initcall(function)
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define DEFINE_DEBUGFS_ATTRIBUTE(name, getter, setter, format)                                     \
    static const struct file_operations name __maybe_unused = {getter, setter}
#define DEFINE_SIMPLE_ATTRIBUTE                             DEFINE_DEBUGFS_ATTRIBUTE
#define debugfs_create_dir(name, parent)                    ((void)(parent), (struct dentry *)NULL)
#define debugfs_create_ulong(name, mode, parent, value)     ((void)(value))
#define debugfs_create_file(name, mode, parent, data, fops) ((void)(data), (void)(fops))

struct reserved_mem;
struct reserved_mem_ops {
    int (*device_init)(struct reserved_mem *rmem, struct device *dev);
    void (*device_release)(struct reserved_mem *rmem, struct device *dev);
};
struct reserved_mem {
    const char *name;
    unsigned long fdt_node;
    unsigned long phandle;
    const struct reserved_mem_ops *ops;
    phys_addr_t base;
    phys_addr_t size;
    void *priv;
};
#define of_get_flat_dt_prop(node, name, size) ((void)(node), (const void *)NULL)
#define RESERVEDMEM_OF_DECLARE(name, compatible, function)

#endif
