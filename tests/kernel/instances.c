// SPDX-License-Identifier: Apache-2.0
// Two copies of a plug-in share nothing, one copy has one instance, and bad arguments are refused.
//
//   instances PLUGIN
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static struct bounce_kt_library load(const char *path) {
    struct bounce_kt_library library;
    char why[1024];
    if (!bounce_kt_load(path, &library, why, sizeof(why))) {
        fprintf(stderr, "bouncesim: %s\n", why);
        exit(1);
    }
    return library;
}

static const struct bounce_kt_config pool = {
    .slots = 256, .areas = 1, .cpus = 1, .pool_start = 0x7bc00000, .force = true};
static const struct bounce_kt_device_config disk = {
    .dma_mask = UINT64_MAX, .seg_boundary = UINT32_MAX, .min_align_mask = 0xfff};

static struct bounce_kt *create(const struct bounce_kt_plugin *plugin, uint64_t slots) {
    struct bounce_kt_config config = pool;
    struct bounce_kt *kt;
    uint32_t device;
    config.slots = slots;
    CHECK(plugin->create(&config, &kt) == BOUNCE_KT_OK);
    CHECK(plugin->add_device(kt, &disk, &device) == BOUNCE_KT_OK && device == 0);
    return kt;
}

static uint64_t used(const struct bounce_kt_plugin *plugin, const struct bounce_kt *kt) {
    struct bounce_kt_counters now;
    plugin->counters(kt, &now);
    return now.used;
}

static void copies_are_independent(const char *path) {
    struct bounce_kt_library a = load(path), b = load(path);
    struct bounce_kt *first = create(a.plugin, 256), *second = create(b.plugin, 1024);
    struct bounce_kt_map_result map;
    CHECK(a.plugin->map(first, 0, 0, 0x100000000, 4096, 0, BOUNCE_KT_TO_DEVICE, 0, &map) ==
          BOUNCE_KT_OK);
    CHECK(map.tlb_addr == 0x7bc00000 && map.locks == 1);
    CHECK(used(a.plugin, first) == 2 && used(b.plugin, second) == 0);
    CHECK(b.plugin->map(second, 0, 0, 0x100000000, 2048, 0, BOUNCE_KT_TO_DEVICE, 0, &map) ==
          BOUNCE_KT_OK);
    CHECK(map.tlb_addr == 0x7bc00000);
    a.plugin->destroy(first);
    bounce_kt_unload(&a);
    CHECK(used(b.plugin, second) == 1);
    b.plugin->destroy(second);
    bounce_kt_unload(&b);
}

static void one_copy_has_one_instance(const char *path) {
    struct bounce_kt_library a = load(path);
    struct bounce_kt *first = create(a.plugin, 256), *second;
    CHECK(a.plugin->create(&pool, &second) == BOUNCE_KT_BUSY && !second);
    a.plugin->destroy(first);
    CHECK(a.plugin->create(&pool, &second) == BOUNCE_KT_BUSY && !second);
    bounce_kt_unload(&a);
}

static void bad_arguments_are_refused(const char *path) {
    struct bounce_kt_library a = load(path);
    struct bounce_kt *kt;
    struct bounce_kt_config config = pool;
    config.pool_start = 0x7bc00001;
    CHECK(a.plugin->create(&config, &kt) == BOUNCE_KT_INVALID);
    config = pool;
    config.cpus = 0;
    CHECK(a.plugin->create(&config, &kt) == BOUNCE_KT_INVALID);

    kt = create(a.plugin, 256);
    struct bounce_kt_device_config odd = disk;
    uint32_t device;
    odd.min_align_mask = 0xff0;
    CHECK(a.plugin->add_device(kt, &odd, &device) == BOUNCE_KT_INVALID);

    struct bounce_kt_map_result map;
    CHECK(a.plugin->map(kt, 1, 0, 0, 1, 0, BOUNCE_KT_TO_DEVICE, 0, &map) == BOUNCE_KT_INVALID);
    CHECK(a.plugin->map(kt, 0, 0, 0, 0, 0, BOUNCE_KT_TO_DEVICE, 0, &map) == BOUNCE_KT_INVALID);
    CHECK(a.plugin->map(kt, 0, 0, 0, 1, 2, BOUNCE_KT_TO_DEVICE, 0, &map) == BOUNCE_KT_INVALID);
    CHECK(a.plugin->map(kt, 0, 0, 0, 300 << 10, 0, BOUNCE_KT_TO_DEVICE, 0, &map) ==
          BOUNCE_KT_OVERSIZE);
    CHECK(a.plugin->unmap(kt, 0, 0x1000, 1, BOUNCE_KT_TO_DEVICE, 0, NULL) == BOUNCE_KT_INVALID);
    CHECK(used(a.plugin, kt) == 0);
    a.plugin->destroy(kt);
    bounce_kt_unload(&a);
}

static void copies_are_told(const char *path) {
    struct bounce_kt_library a = load(path);
    struct bounce_kt *kt = create(a.plugin, 256);
    struct bounce_kt_map_result map;
    struct bounce_kt_copy copy;
    CHECK(a.plugin->map(kt, 0, 0, 0x123456042, 3000, 0, BOUNCE_KT_FROM_DEVICE, 0, &map) ==
          BOUNCE_KT_OK);
    CHECK(a.plugin->sync(kt, 0, map.tlb_addr + 10, 20, BOUNCE_KT_FROM_DEVICE, true, &copy) ==
          BOUNCE_KT_OK);
    CHECK(copy.copied && copy.orig == 0x12345604c && copy.bytes == 20);
    CHECK(a.plugin->sync(kt, 0, map.tlb_addr, 20, BOUNCE_KT_FROM_DEVICE, false, &copy) ==
          BOUNCE_KT_OK);
    CHECK(!copy.copied);
    CHECK(a.plugin->unmap(kt, 0, map.tlb_addr, 3000, BOUNCE_KT_FROM_DEVICE, 0, &copy) ==
          BOUNCE_KT_OK);
    CHECK(copy.copied && copy.orig == 0x123456042 && copy.bytes == 3000);
    CHECK(used(a.plugin, kt) == 0);
    a.plugin->destroy(kt);
    bounce_kt_unload(&a);
}

static void a_restricted_pool_serves_both(const char *path) {
    struct bounce_kt_library a = load(path);
    struct bounce_kt_config config = pool;
    struct bounce_kt *kt;
    struct bounce_kt_map_result map, block;
    struct bounce_kt_counters now;
    uint32_t device;
    config.slots = 384; // as the device tree says: no rounding to a power of two
    config.restricted = true;
    CHECK(a.plugin->create(&config, &kt) == BOUNCE_KT_OK);
    CHECK(a.plugin->add_device(kt, &disk, &device) == BOUNCE_KT_OK);
    a.plugin->counters(kt, &now);
    CHECK(now.nslabs == 384);
    CHECK(a.plugin->map(kt, device, 3, 0x100000000, 100, 0, BOUNCE_KT_TO_DEVICE, 0, &map) ==
          BOUNCE_KT_OK);
    CHECK(a.plugin->alloc(kt, device, 0, 8192, &block) == BOUNCE_KT_OK);
    CHECK(block.tlb_addr % 4096 == 0 && block.tlb_addr != map.tlb_addr);
    CHECK(used(a.plugin, kt) == 5);
    CHECK(a.plugin->free(kt, device, block.tlb_addr, 8192) == BOUNCE_KT_OK);
    CHECK(a.plugin->free(kt, device, 0x1000, 8192) == BOUNCE_KT_INVALID);
    CHECK(used(a.plugin, kt) == 1);
    a.plugin->destroy(kt);
    bounce_kt_unload(&a);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: instances PLUGIN\n", stderr);
        return 2;
    }
    copies_are_independent(argv[1]);
    one_copy_has_one_instance(argv[1]);
    bad_arguments_are_refused(argv[1]);
    copies_are_told(argv[1]);
    a_restricted_pool_serves_both(argv[1]);
    return 0;
}
