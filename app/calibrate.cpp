// SPDX-License-Identifier: Apache-2.0
#include "calibrate.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sched.h>
#include <thread>

namespace bouncesim {
namespace {

constexpr std::size_t pool_bytes = std::size_t{64} << 20;
constexpr std::size_t anywhere_bytes = std::size_t{256} << 20;

// The fastest and the median of `times` runs, nanoseconds an operation.
struct timing {
    double fastest, median;
};

template <typename Run> timing time_of(unsigned times, unsigned count, Run run) {
    std::vector<double> took;
    for (unsigned i = 0; i < times; i++) {
        auto begin = std::chrono::steady_clock::now();
        run();
        std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
        took.push_back(elapsed.count() / count);
    }
    std::sort(took.begin(), took.end());
    return {took.front(), took[took.size() / 2]};
}

// memcpy that the compiler cannot leave out.
void copy(char *to, const char *from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
    asm volatile("" : : "r"(to) : "memory");
}

struct pages {
    explicit pages(std::size_t bytes)
        : start(static_cast<char *>(std::aligned_alloc(4096, bytes))) {
        if (!start)
            throw std::bad_alloc();
        std::memset(start, 1, bytes); // the kernel gives memory at the first touch
    }
    pages(const pages &) = delete;
    pages &operator=(const pages &) = delete;
    ~pages() {
        std::free(start);
    }
    char *start;
};

copy_times measure(std::uint64_t bytes, const pages &pool, const pages &anywhere) {
    copy_times result = {bytes, 0, 0, 0};
    auto count = static_cast<unsigned>(std::clamp<std::uint64_t>((8u << 20) / bytes, 16, 4096));
    // Two buffers that fit into any second-level cache; the largest sizes as far as they do.
    result.hot_ns = time_of(31, count, [&] {
                        for (unsigned i = 0; i < count; i++)
                            copy(pool.start, anywhere.start, bytes);
                    }).median;
    std::size_t at = 0;
    result.walk_ns = time_of(31, count, [&] {
                         for (unsigned i = 0; i < count; i++) {
                             at = at + 2 * bytes > pool_bytes ? 0 : at + bytes;
                             copy(pool.start + at, anywhere.start + at, bytes);
                         }
                     }).median;
    std::uint64_t half = anywhere_bytes / 2, places = (half - bytes) / 4096, state = 1;
    auto place = [&] { // a linear congruence: next to nothing beside the copy, and no two in a row
        state = state * 6364136223846793005u + 1442695040888963407u;
        return anywhere.start + (state >> 33) % places * 4096;
    };
    result.cold_ns = time_of(31, count, [&] {
                         for (unsigned i = 0; i < count; i++)
                             copy(place() + half, place(), bytes);
                     }).median;
    return result;
}

unsigned usable_cpus() {
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : static_cast<unsigned>(CPU_COUNT(&cpus));
}

} // namespace

std::vector<copy_times> measure_copies(const std::vector<std::uint64_t> &sizes,
                                       const std::function<bool()> &stop) {
    pages pool(pool_bytes), anywhere(anywhere_bytes);
    std::vector<copy_times> result;
    for (std::uint64_t bytes : sizes) {
        if (stop())
            break;
        result.push_back(measure(bytes, pool, anywhere));
    }
    return result;
}

double measure_lock_ns() {
    std::atomic<std::uint32_t> lock{0};
    constexpr unsigned count = 1000000;
    return time_of(15, count,
                   [&] {
                       for (unsigned i = 0; i < count; i++) {
                           std::uint32_t expected = 0;
                           lock.compare_exchange_strong(expected, 1, std::memory_order_acquire);
                           lock.store(0, std::memory_order_release);
                       }
                   })
        .median;
}

double measure_counters_ns() {
    std::atomic<std::uint64_t> used{0}, hiwater{~std::uint64_t{0}};
    constexpr unsigned count = 1000000;
    return time_of(15, count,
                   [&] {
                       for (unsigned i = 0; i < count; i++)
                           if (used.fetch_add(1) > hiwater.load())
                               std::abort();
                   })
        .median;
}

std::optional<double> measure_handoff_ns() {
    if (usable_cpus() < 2)
        return std::nullopt;
    constexpr unsigned count = 20000;
    std::atomic<std::uint32_t> turn{0};
    auto wait_for = [&](std::uint32_t mine) {
        while (turn.load(std::memory_order_acquire) != mine) {
        }
    };
    // The fastest: on a shared machine the threads are often not running side by side.
    return time_of(15, 2 * count,
                   [&] {
                       turn = 0;
                       std::thread other([&] {
                           for (unsigned i = 0; i < count; i++) {
                               wait_for(1);
                               turn.store(0, std::memory_order_release);
                           }
                       });
                       for (unsigned i = 0; i < count; i++) {
                           turn.store(1, std::memory_order_release);
                           wait_for(0);
                       }
                       other.join();
                   })
        .fastest;
}

} // namespace bouncesim
