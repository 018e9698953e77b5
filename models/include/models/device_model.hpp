// SPDX-License-Identifier: Apache-2.0
// What a request platform knows of a kind of device and of its driver: one list of keys for the
// struct, the platform files and docs/models/devices.md; one table of devices, each in a file of
// its own in models/devices. No SystemC here.
#pragma once

#include "bounce/boot.h"
#include "bounce/device.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace bouncesim::models {

// What a driver does when it finds the pool full.
enum class on_full : uint8_t {
    requeue, // BLK_STS_RESOURCE: the request waits in its hardware queue and is tried again
    drop,    // a packet to send is dropped; a receive buffer is posted later
    fail,    // the request ends with an error
};

constexpr uint64_t device_many = 1u << 20;
constexpr uint64_t device_most = 1000000000000u; // 1 TB, 1000 s

/* clang-format off */
// X(key, default, smallest, largest, unit, meaning)
#define BOUNCESIM_DEVICE_KEYS(X) \
    X(dma_bits, 64, 20, 64, "bits", "addresses that the device reaches: 24, 32, 64") \
    X(seg_boundary, 0xffffffff, 2047, INT64_MAX, "mask", "no segment spans a multiple of it (2^n - 1)") \
    X(min_align_mask, 0, 0, 65535, "mask", "low address bits that bounce and original address share") \
    X(iommu, 0, 0, 2, "0..2", "0: the device addresses memory itself; 1: behind the IOMMU; 2: and not trusted") \
    X(max_segments, 128, 1, device_many, "segments", "most pieces of a request") \
    X(max_segment_bytes, 0, 0, device_most, "bytes", "largest piece, 512 at least; 0: what the DMA layer maps at most") \
    X(max_request_bytes, 0, 0, device_most, "bytes", "larger requests are split, 512 at least; 0: what the DMA layer maps at most") \
    X(opt_mapping, 0, 0, 1, "0, 1", "1: larger requests than dma_opt_mapping_size(), 128 KiB behind an IOMMU, are split") \
    X(gap_mask, 0, 0, 65535, "mask", "pieces begin and end on multiples of it, but for the first and last (PRP)") \
    X(queues, 0, 0, 65536, "queues", "hardware queues; 0: one for each CPU") \
    X(depth, 1024, 1, device_many, "requests", "places of a queue: with the device, or waiting for room") \
    X(header_bytes, 0, 0, 4096, "bytes", "command header, mapped to the device with each request") \
    X(status_bytes, 0, 0, 4096, "bytes", "status, mapped from the device with each request") \
    X(descriptor_bytes, 0, 0, 4096, "bytes", "descriptor of a mapping, in a table that is mapped too") \
    X(coherent_bytes, 0, 0, 4096, "bytes", "requests of at most as many lie in coherent memory and are not mapped") \
    X(unmap_copies, 1, 1, 2, "copies", "back to the buffer at an unmap: 2 is Linux before 5.19 (commit 01d0dd233)") \
    X(ring_entries, 0, 0, device_many, "buffers", "receive buffers that are kept mapped; 0: no ring") \
    X(ring_bytes, 0, 0, 65536, "bytes", "one of them") \
    X(first_tries, 1, 1, 100, "attempts", "map attempts before a request is put back in its queue") \
    X(worker_ns, 100000, 0, device_most, "ns", "until the worker that tries again runs") \
    X(retry_ns, 3000000, 1000, device_most, "ns", "until the next try when nothing is under way that could end") \
    X(read_ns, 10000, 0, device_most, "ns", "from doorbell to interrupt, beside the bytes: reads, packets received") \
    X(write_ns, 10000, 0, device_most, "ns", "the same of writes and packets sent") \
    X(read_ns_per_kib, 0, 0, device_most, "ns/KiB", "of a channel, by size, reads") \
    X(write_ns_per_kib, 0, 0, device_most, "ns/KiB", "of a channel, by size, writes") \
    X(channels, 64, 1, device_many, "requests", "that the device works on at a time") \
    X(pipelined, 0, 0, 1, "0, 1", "1: a channel is busy with the bytes only, read_ns and write_ns come on top") \
    X(interrupt_ns, 0, 0, device_most, "ns", "from completion to the interrupt: coalescing")
/* clang-format on */

class service_times;

struct device_model {
    const char *name = "";
    const char *summary = "";
    const char *source = ""; // where its figures come from
    on_full full = on_full::requeue;
    bool tries_inline = false; // the submitting CPU runs the queue itself after first_tries
#define BOUNCESIM_FIELD(key, value, smallest, largest, unit, meaning) uint64_t key = value;
    BOUNCESIM_DEVICE_KEYS(BOUNCESIM_FIELD)
#undef BOUNCESIM_FIELD
    std::shared_ptr<const service_times> drawn;    // in place of times and channels
    uint64_t slot_bytes = 1u << BOUNCE_SLOT_SHIFT; // of the pool
    uint64_t set_bytes = BOUNCE_SEGMENT_SLOTS << BOUNCE_SLOT_SHIFT;

    // Sets what the DMA layer knows: masks and boundary.
    void shape(bounce_device &device) const;
    // The largest mapping, as swiotlb_max_mapping_size(), and the limits that follow from it.
    uint64_t largest_mapping() const;
    uint64_t largest_request() const;
    uint64_t largest_segment() const;
};

struct device_key {
    const char *name;
    const char *unit;
    const char *meaning;
    uint64_t smallest, largest;
    uint64_t device_model::*value;
};

// Row `index` of the keys or of the devices, or null past the end; the row of that name, or null.
const device_key *device_key_at(std::size_t index);
const device_key *find_device_key(std::string_view name);
const device_model *device_model_at(std::size_t index);
const device_model *find_device_model(std::string_view name);

} // namespace bouncesim::models
