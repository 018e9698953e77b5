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

namespace {

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

// As large as the kernel's, and taken in order of arrival as that one is.
struct spin_lock {
    std::atomic<std::uint16_t> serving{0}, next{0};

    void take() {
        std::uint16_t mine = next.fetch_add(1);
        while (serving.load(std::memory_order_acquire) != mine)
            relax();
    }
    void leave() {
        auto after = static_cast<std::uint16_t>(serving.load(std::memory_order_relaxed) + 1);
        serving.store(after, std::memory_order_release);
    }
};

// struct io_tlb_area: what the lock guards lies beside it.
struct alignas(64) area {
    std::uint64_t used = 0;
    std::uint32_t index = 0;
    spin_lock lock;
};

// 0, made of `value` in a way that the compiler does not see: what uses it has to wait for that.
std::uint64_t nothing(std::uint64_t value) {
    asm volatile("" : "+r"(value));
    std::uint64_t same = value;
    asm volatile("" : "+r"(same));
    return value ^ same;
}

// The calling thread stays on the `number`th CPU that it may use; what it could use before.
cpu_set_t stay_on(int number) {
    cpu_set_t before, one;
    CPU_ZERO(&before);
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof(before), &before);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &before) && number-- == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
    return before;
}

// `mine` here and `others` in another thread, on two CPUs; both begin together.
template <typename Mine, typename Others> void side_by_side(Mine mine, Others others) {
    std::atomic<bool> here{false}, go{false};
    std::thread other([&] {
        stay_on(1);
        here = true;
        while (!go)
            std::this_thread::yield();
        others();
    });
    while (!here)
        std::this_thread::yield(); // it may have to begin on this CPU
    cpu_set_t before = stay_on(0);
    go = true;
    mine();
    other.join();
    sched_setaffinity(0, sizeof(before), &before);
}

} // namespace

std::optional<double> measure_line_ns() {
    if (usable_cpus() < 2)
        return std::nullopt;
    struct alignas(128) line { // two of 64: what is fetched ahead does not count
        std::atomic<std::uint64_t> value{0};
    };
    constexpr unsigned count = 256;
    std::vector<line> lines(count);
    auto add = [&] { // in no order that a prefetcher knows, each after the one before
        std::uint64_t seen = 0;
        for (unsigned i = 0; i < count; i++) {
            seen = nothing(seen);
            seen = lines[(i * 97 + seen) % count].value.fetch_add(1);
        }
    };
    std::atomic<unsigned> turn{0};
    std::vector<double> took;
    constexpr unsigned rounds = 60;
    side_by_side(
        [&] {
            for (unsigned i = 0; i < rounds; i++) {
                while (turn != 2 * i + 1) {
                }
                auto begin = std::chrono::steady_clock::now();
                add();
                std::chrono::duration<double, std::nano> t =
                    std::chrono::steady_clock::now() - begin;
                took.push_back(t.count() / count);
                turn = 2 * i + 2;
            }
        },
        [&] {
            for (unsigned i = 0; i < rounds; i++) {
                while (turn != 2 * i) {
                }
                add();
                turn = 2 * i + 1;
            }
        });
    std::sort(took.begin(), took.end());
    return took[took.size() / 2];
}

std::optional<double> measure_handoff_ns() {
    if (usable_cpus() < 2)
        return std::nullopt;
    constexpr unsigned count = 4000;
    std::vector<double> times;
    for (int run = 0; run < 60 && times.size() < 12; run++) {
        area shared;
        alignas(64) std::atomic<unsigned> others{0};
        alignas(64) std::atomic<bool> over{false};
        std::chrono::duration<double, std::nano> took{};
        unsigned before = 0, after = 0;
        auto once = [&] {
            shared.lock.take();
            shared.used = shared.used + 1;
            shared.index = shared.index + 1;
            asm volatile("" ::: "memory");
            shared.lock.leave();
        };
        side_by_side(
            [&] {
                while (!others)
                    once();
                before = others;
                auto begin = std::chrono::steady_clock::now();
                for (unsigned i = 0; i < count; i++)
                    once();
                took = std::chrono::steady_clock::now() - begin;
                after = others;
                over = true;
            },
            [&] {
                for (unsigned done = 1; !over; done++) {
                    once();
                    others.store(done, std::memory_order_relaxed);
                }
            });
        // Only runs in which they took turns: on a shared machine one may not be running.
        if (after - before > count - count / 20)
            times.push_back(took.count() / (count + after - before));
    }
    if (times.empty())
        return std::nullopt;
    std::sort(times.begin(), times.end());
    return times[times.size() / 4]; // a holder that stops for a while makes a run long, never short
}

} // namespace bouncesim
