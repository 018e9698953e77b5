// SPDX-License-Identifier: Apache-2.0
// A trace opened for simulation: its events, and the configuration that follows from the trace
// and the options.
#pragma once

#include "input.hpp"
#include "options.hpp"
#include "pool_size.hpp"

#include "bounce/blktrace.h"
#include "bounce/infer.h"
#include "bounce/order.h"
#include "bounce/replay.h"
#include "bounce/requests.h"
#include "bounce/trace.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bouncesim {

// The configuration as used, and where it comes from.
struct resolved_config {
    bounce_replay_config replay = {};
    pool_size size;                    // of the pool, and the rule that gave it
    bool no_pool = false;              // swiotlb=noforce, or no memory for one
    bool as_recorded = false;          // the pool is the recorded one
    bool requests = false;             // the trace has requests: mappings are made of them
    bool assumed_service = false;      // and no completions
    std::uint64_t service_ns = 0;      // from issue to completion then
    bounce_inference recorded = {};    // what the trace tells of its own machine
    bool told_contradicted = false;    // the recorded counters' pool does not fit the addresses
    std::uint64_t held_slots = 0;      // in use when the recording began, as far as it tells
    std::uint64_t hidden_slots = 0;    // of these, passed over by searches alone
    std::uint32_t others_slots = 0;    // with requests: what other devices hold throughout
    std::vector<std::string> inferred; // one line each, for people
};

class trace_session {
  public:
    // `evidence` of an earlier pass over the same trace, or empty. Throws refused_error.
    trace_session(const simulation_options &options,
                  std::shared_ptr<bounce_evidence> evidence = nullptr);
    trace_session(const trace_session &) = delete;
    trace_session &operator=(const trace_session &) = delete;
    ~trace_session();

    const resolved_config &config() const {
        return config_;
    }

    // Where a pool of another size than the recorded one lies.
    std::uint64_t start_for(std::uint64_t nslabs) const;

    // Whether the pool of `replay` is the recorded one, and goes as it went: its as_recorded,
    // recorded_growth and in_step.
    void settle_recorded(bounce_replay_config &replay) const;

    // The next events, at most `batch_events`; an empty span at the end. Throws refused_error with
    // file and line.
    struct batch {
        const bounce_event *events;
        std::size_t count;
    };
    batch next();

    // Instead of next(): the events as the trace has them, requests as requests, in recorded order.
    batch next_recorded();

    // "FILE:LINE: " of a line counted over all files; empty where several files are merged.
    std::string where(std::uint64_t line) const;

    // What the trace tells of its own machine so far.
    const bounce_recorded_config &recorded() const {
        return *bounce_trace_recorded(trace_);
    }

    // The devices that the events index, with the options and inferences applied.
    const std::vector<bounce_device> &devices() const {
        return devices_;
    }

    // After the last batch: whether the whole trace contradicts what its first events made of the
    // configuration; a second pass with evidence() settles it if the input is rewindable.
    bool contradicted() const;
    // Whether it may still come to that.
    bool may_be_contradicted() const;
    bool rewindable() const {
        return input_->rewindable();
    }
    std::shared_ptr<bounce_evidence> evidence() const {
        return evidence_;
    }

    // What the recording told beside the trace, or --counters; NULL when nothing did. After the
    // last batch, what stood behind the trace is there too.
    const recording *told() const;
    // Lines in front that were left out: not all CPUs' events reach as far back.
    std::uint64_t lines_cut() const {
        return input_->lines_cut() + (told_ ? told_->lines_cut : 0);
    }

    // The trace itself: what its reader tells, before options and inference.
    const bounce_trace *trace() const {
        return trace_;
    }
    bounce_trace_counts counts() const;
    bounce_request_counts request_counts() const {
        return bounce_trace_requests(trace_);
    }
    // What was made of the requests so far.
    bounce_requests_counts mapping_counts() const;
    const bounce_format &format() const;
    bool timed() const;
    const simulation_options &options() const {
        return options_;
    }
    double progress() const; // 0..1, negative when unknown
    // What the order reconstruction found so far; NULL when it does not run.
    const bounce_order_stats *order_stats();
    const bounce_order *order() const {
        return order_.get();
    }

    static constexpr std::size_t window_events = 1u << 15;
    static constexpr std::size_t batch_events = 1u << 12;

  private:
    void open_input();
    void take_recording();
    void take_texts();
    void take_counters();
    void take_kernel();
    void infer_pool(bounce_infer_given given);
    void describe_recording();
    void read_window();
    void check_files() const;
    void check_only() const;
    bool tells_order() const;
    void start_order();
    const bounce_kernel *order_kernel() const;
    void describe_growth(const std::string &pool);
    std::size_t held_in_front() const;
    void add_held(std::uint64_t low, std::uint64_t high);
    void add_hidden();
    void count_held();
    void count_others();
    void start_requests();
    batch next_mappings();
    void describe_requests();
    bool more_cpus() const;
    void describe_late_cpus();
    void describe_force();
    void resolve();
    void update_devices();
    void describe_inference(bool explained);
    std::size_t read_events(std::vector<bounce_event> &into, std::size_t most);

    simulation_options options_;
    std::unique_ptr<trace_input> input_;
    std::optional<recording> told_;    // beside the trace, as far as known before its first byte
    std::optional<recording> counted_; // --counters
    std::size_t texts_taken_ = 0;      // of a native file
    std::vector<std::unique_ptr<trace_input>> parts_; // blktrace: a file a CPU, merged
    std::vector<const char *> part_names_;
    std::unique_ptr<bounce_blktrace_merge, void (*)(bounce_blktrace_merge *)> merge_{
        nullptr, bounce_blktrace_merge_destroy};
    bounce_trace *trace_ = nullptr;
    std::shared_ptr<bounce_evidence> evidence_;
    bool second_pass_ = false;
    std::vector<bounce_event> window_;
    std::size_t window_used_ = 0;
    std::vector<bounce_event> batch_;
    std::unique_ptr<bounce_order, void (*)(bounce_order *)> order_{nullptr, bounce_order_destroy};
    bounce_order_stats order_stats_ = {};
    batch unordered_ = {nullptr, 0}; // read, not yet handed to the reconstruction
    bool all_read_ = false;
    std::vector<bounce_event> ordered_;
    std::unique_ptr<bounce_requests, void (*)(bounce_requests *)> requests_{
        nullptr, bounce_requests_destroy};
    batch pending_ = {nullptr, 0}; // read, not yet made into mappings
    bool requests_ended_ = false;
    std::vector<bounce_event> mappings_;
    std::vector<bounce_device> devices_;
    std::vector<std::uint32_t> used_masks_; // min_align_mask as inferred, by device
    resolved_config config_;
    throttle_config throttle_{options_.pool};
};

} // namespace bouncesim
