// SPDX-License-Identifier: Apache-2.0
// --vcd: signals of an engine that is watched as a value change dump (IEEE 1364), in nanoseconds.
// Which devices there are shows only while the trace is read, and the format wants all signals
// first: changes are kept in a nameless temporary file until the end.
#pragma once

#include "time_order.hpp"
#include "watched_file.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace bouncesim {

class vcd final : public watched_file {
  public:
    vcd(const watch_options &options, const bounce_swiotlb_config &pool,
        const watched_devices &devices);

    void now(std::uint64_t time_ps) override;
    void phase(std::uint32_t cpu, models::cpu_phase what, std::uint64_t begin_ps,
               std::uint64_t end_ps) override;
    void lock(const models::lock_report &report) override;
    void call(const models::call_report &) override {}
    void transfer(const models::transfer_report &report) override;
    void pool(std::uint64_t time_ps, const bounce_swiotlb &mem) override;
    void full(std::uint64_t time_ps, const bounce_event &event, const bounce_map_result &result,
              const bounce_pressure &pressure) override;

    void finish(std::uint64_t end_ps) override;
    std::string summary() const override;

  private:
    void began(const models::work_report &report, bool waits, std::uint64_t ns) override;
    void ended(const models::work_report &report, bool waits, std::uint64_t ns) override;

    enum class kind : std::uint8_t { number, bit, strobe };
    enum class edit : std::uint8_t { set, add, subtract };
    struct signal {
        std::string scope, name;
        kind type;
        std::string code;        // in the file
        std::uint64_t value = 0; // as of the changes written
        std::uint64_t first = 0; // where the file begins
    };
    struct change {
        std::uint32_t signal;
        edit how;
        std::uint64_t value;
    };
    static constexpr std::uint32_t none = UINT32_MAX;

    // Returns its number, or `none` when no pattern takes it.
    std::uint32_t add(const std::string &scope, const std::string &name, kind type,
                      std::uint64_t value = 0);
    bool chosen(const std::string &path) const;
    std::vector<std::uint32_t> device_signals(std::uint32_t device);
    void tell(std::uint32_t which, std::uint64_t ns, edit how, std::uint64_t value);
    void apply(std::uint64_t ns, const change &one);
    void write_change(const signal &which, std::string &out, std::uint64_t value) const;
    void keep(const std::string &text);
    std::string header() const;

    std::unique_ptr<std::FILE, int (*)(std::FILE *)> body_;
    std::string text_; // of the body, not yet there
    time_order<change> changes_;
    std::vector<signal> signals_;
    std::vector<bool> matched_; // by pattern
    std::uint64_t written_ns_ = UINT64_MAX;
    std::uint64_t written_ = 0;
    std::uint64_t pool_ns_ = 0;
    std::uint64_t area_slots_ = 0;

    std::uint32_t used_, hiwater_, slots_, transient_, full_, cause_;
    struct area_signals {
        std::uint32_t used, free, locked, waiting;
    };
    struct cpu_signals {
        std::uint32_t copying = none, waiting = none;
    };
    std::vector<area_signals> areas_;
    std::vector<cpu_signals> cpus_;
    std::vector<std::vector<std::uint32_t>> known_; // by device: in flight, waiting, dma
};

} // namespace bouncesim
