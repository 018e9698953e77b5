// SPDX-License-Identifier: Apache-2.0
// --trace-out: the Trace Event Format of Chrome, which Perfetto opens too. Slices ("X") for what a
// CPU, a lock or a link does, asynchronous ones ("b", "e") for what devices have and what waits,
// counters ("C") for the pool, instants ("i") for full events. docs/seeing.md says what is where.
#pragma once

#include "time_order.hpp"
#include "watched_file.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace bouncesim {

class trace_events final : public watched_file {
  public:
    trace_events(const watch_options &options, const bounce_swiotlb_config &pool,
                 const watched_devices &devices);

    void now(std::uint64_t time_ps) override;
    void phase(std::uint32_t cpu, models::cpu_phase what, std::uint64_t begin_ps,
               std::uint64_t end_ps) override;
    void lock(const models::lock_report &report) override;
    void call(const models::call_report &report) override;
    void transfer(const models::transfer_report &report) override;
    void pool(std::uint64_t time_ps, const bounce_swiotlb &mem) override;
    void full(std::uint64_t time_ps, const bounce_event &event, const bounce_map_result &result,
              const bounce_pressure &pressure) override;

    void finish(std::uint64_t end_ps) override;
    std::string summary() const override;

  private:
    void began(const models::work_report &report, bool waiting, std::uint64_t ns) override;
    void ended(const models::work_report &report, bool waiting, std::uint64_t ns) override;

    // A part of a call, kept until the call itself is told: who reads slices that begin at the same
    // time takes the first for the outer one.
    struct part {
        const char *name;
        std::uint64_t begin_ps, end_ps;
        std::uint64_t area; // of a lock
    };
    struct counter {
        std::uint64_t pid;
        std::string name;
        std::uint64_t value = 0;
        std::uint64_t written = UINT64_MAX; // none yet
    };
    struct device_state {
        bool named = false;
        std::string name;  // escaped
        counter in_flight; // and what waits for room
        counter waiting;
    };

    // Of what a device has or waits for. Slices may come in any order, counts may not.
    struct step {
        std::uint32_t device;
        bool waiting;
        bool up;
    };

    bool inside(std::uint64_t begin_ns, std::uint64_t end_ns) const {
        return begin_ns < options_.to_ns && end_ns >= options_.from_ns;
    }
    device_state &device(std::uint32_t index);
    std::vector<part> &parts(std::uint32_t cpu);
    std::string area_name(std::uint32_t number) const;
    void begin(char phase, std::uint64_t pid, std::uint64_t tid, std::uint64_t ns);
    void field(std::string_view key, std::uint64_t value, bool hex = false);
    void text_field(std::string_view key, std::string_view value);
    void end(bool args);
    void slice(std::uint64_t pid, std::uint64_t tid, std::string_view name, std::uint64_t begin_ps,
               std::uint64_t end_ps);
    void span(std::uint64_t pid, std::string_view category, std::string_view name,
              std::uint64_t begin_ns, std::uint64_t end_ns, std::uint64_t size, const char *dir);
    void name(const char *what, std::uint64_t pid, std::uint64_t tid, std::string_view text);
    void sort_index(std::uint64_t pid);
    void count(counter &which, std::uint64_t ns, std::uint64_t value);
    void write_counter(counter &which, std::uint64_t ns);
    void open_window();
    void write_parts(std::uint32_t cpu);
    void write_work(const models::work_report &report, const char *category, const char *what,
                    std::uint64_t ns);

    std::string text_; // not yet written
    std::uint64_t events_ = 0;
    std::uint64_t spans_ = 0; // ids
    std::uint64_t pool_ns_ = 0;
    bool window_open_ = false;

    std::vector<std::vector<part>> parts_; // by CPU
    std::vector<bool> named_areas_;
    std::uint32_t areas_ = 1; // of each pool
    std::vector<device_state> known_;
    time_order<step> steps_;
    std::vector<counter> pool_; // used, high-water, slots, transient; then by area
};

} // namespace bouncesim
