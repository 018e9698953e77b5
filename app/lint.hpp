// SPDX-License-Identifier: Apache-2.0
// What contradicts itself in a trace, what is missing, and what is never given back.
#pragma once

#include "bounce/device.h"
#include "bounce/event.h"
#include "bounce/histogram.h"
#include "bounce/note.h"
#include "bounce/trace.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace bouncesim {

// X(name, severity, requests, what): one row a kind of finding, in the order in which they are
// told. `requests` is what it means in a trace of requests.
/* clang-format off */
#define BOUNCESIM_FINDINGS(X)                                                                      \
    X(unmapped_twice, error, "unmapped twice", "unmap of an address that was unmapped before")     \
    X(mapped_twice, error, "issued again while in flight", "map of what is mapped already")        \
    X(overlap, error, "", "map of slots that another mapping still holds")                         \
    X(unmap_size, error, "completion of another size", "unmap of another size than was mapped")    \
    X(unmap_direction, error, "", "unmap with another direction than was mapped")                  \
    X(unmap_device, error, "", "unmap by another device than mapped it")                           \
    X(sync_beyond_end, error, "", "sync beyond the end of its mapping")                            \
    X(sync_after_unmap, error, "", "sync of an address that was unmapped before")                  \
    X(unmap_without_map, warning, "completion without a request", "unmap of an unknown mapping")   \
    X(sync_without_map, warning, "", "sync of an unknown mapping")                                 \
    X(lost_events, warning, "records lost by the recorder", "events lost by the recorder")         \
    X(cut_record, warning, "the input ends in a record", "the input ends in a record")                \
    X(malformed, warning, "records that cannot be read", "records that cannot be read")            \
    X(restart, warning, "time goes back: recordings joined", "time goes back: recordings joined")  \
    X(late_record, warning, "record too late to be put in order",                                  \
      "record too late to be put in order")                                                        \
    X(not_tracked, warning, "beyond the limit of live requests",                                   \
      "beyond the limit of live mappings")                                                         \
    X(leak_grows, warning, "never completed, and ever more",                                       \
      "never unmapped, and ever more: a leak")                                                     \
    X(never_ended, note, "in flight when the trace ended",                                         \
      "mapped when the trace ended: a ring, or in flight")                                         \
    X(mapped_before, note, "", "unmap of what was mapped before the trace began")                  \
    X(sync_mapped_before, note, "", "sync of what was mapped before the trace began")              \
    X(time_back, note, "time goes back a little", "time goes back a little")                       \
    X(order, note, "", "map at an address whose unmap stands a little later: CPUs overlap")        \
    X(failed_list, note, "", "scatter list that failed")                                           \
    X(failed_map, note, "", "map that failed: the pool was full")                                  \
    X(truncated_list, note, "", "scatter list that the kernel printed in part")
/* clang-format on */

enum class severity { error, warning, note };

enum class finding_kind {
#define BOUNCESIM_KIND(name, severity, requests, what) name,
    BOUNCESIM_FINDINGS(BOUNCESIM_KIND)
#undef BOUNCESIM_KIND
};

struct finding_info {
    const char *name;
    severity level;
    const char *requests;
    const char *what;
};
const finding_info &info_of(finding_kind kind);
constexpr std::size_t finding_kinds = static_cast<std::size_t>(finding_kind::truncated_list) + 1;

struct example {
    std::uint64_t place = 0; // 0: not known
    bool is_line = false;
    std::uint64_t time_ns = 0;
    std::uint64_t addr = 0;
    std::uint64_t size = 0, told = 0; // meaning by kind
    std::uint16_t device = BOUNCE_NOTE_NO_DEVICE;
};

struct finding {
    std::uint64_t count = 0;
    std::vector<example> examples; // the first few
};

// What a device never gave back.
struct leak {
    std::uint16_t device = 0;
    std::uint64_t count = 0, before = 0; // before: of them, mapped before the trace began
    std::uint64_t bytes = 0, slots = 0;
    std::uint64_t age_ns = 0, median_age_ns = 0; // of the oldest
    bool grows = false;
    std::vector<std::uint64_t> floor; // fewest live in each eighth of the trace
    std::vector<example> examples;    // the oldest
};

class linter {
  public:
    explicit linter(std::size_t examples) : examples_(examples) {}
    void note(const bounce_note &note);
    // Formats whose readers tell of nothing that the events themselves say.
    enum class teller : std::uint8_t { reader, rows, events };
    void set_teller(teller which) {
        teller_ = which;
    }
    // What a native file says of how it was converted; the places are gone.
    void add_counts(const bounce_trace_counts &counts);
    void add(const bounce_event *events, std::size_t count);
    // `tracked`: ends are told, so that what is live has none.
    void finish(std::uint64_t span_ns, bool tracked);

    const finding &of(finding_kind kind) const {
        return findings_[static_cast<std::size_t>(kind)];
    }
    const std::vector<leak> &leaks() const {
        return leaks_;
    }
    std::uint64_t count(severity level) const; // kinds found

  private:
    struct place {
        std::uint64_t number = 0;
        bool is_line = false;
    };
    struct live {
        std::uint64_t id = 0, since_ns = 0, addr = 0, size = 0;
        std::uint64_t list_key = 0; // of an entry of a scatter list
        std::uint64_t overlapped_seq = 0;
        place at, overlapped_at;
        std::uint64_t overlapper = 0; // its address
        std::uint16_t device = 0;
        std::uint8_t dir = 0;
        bool mapped = false, held = false, bounced = false, overlapped = false;
    };
    // The fewest live mappings in each interval; intervals double as time goes on.
    struct floor_series {
        std::array<std::uint64_t, 64> fewest = {};
        std::uint64_t width_ns = 1000000, live = 0;
        std::size_t used = 1;
        void advance(std::uint64_t now_ns);
        void set(std::uint64_t now_ns, std::uint64_t count);
    };

    void found(finding_kind kind, const example &where, std::uint64_t times = 1);
    void take(const bounce_note &note);
    void take_until(std::uint64_t seq);
    void begin(const bounce_event &event);
    void end(const bounce_event &event);
    void sync(const bounce_event &event);
    void check_overlap(live &newcomer, const bounce_event &event);
    void forget(live &gone);
    void unmatched(const bounce_event &event);
    void restart();
    floor_series &floor_of(std::uint16_t device);
    void find_leaks(std::uint64_t span_ns);

    std::size_t examples_;
    std::array<finding, finding_kinds> findings_;
    std::vector<leak> leaks_;
    std::deque<bounce_note> notes_;                       // whose events have not come yet
    std::unordered_map<std::uint64_t, place> places_;     // of live ids
    std::vector<live> live_;                              // by handle
    std::multimap<std::uint64_t, std::uint32_t> by_slot_; // first slot of bounced ones
    std::unordered_set<std::uint64_t> freed_;             // slots that began an unmapped mapping
    std::unordered_set<std::uint64_t> freed_entries_;     // keys of unmapped entries of lists
    std::vector<floor_series> floors_;                    // by device
    std::uint64_t now_ns_ = 0;
    teller teller_ = teller::reader;
};

} // namespace bouncesim
