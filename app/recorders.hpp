// SPDX-License-Identifier: Apache-2.0
// Rows that a run writes: --mappings, --fulls, --timeline, --exposure and --lifetimes. Engine hooks
// feed them.
#pragma once

#include "lifetimes.hpp"
#include "output.hpp"

#include "bounce/exposure.h"
#include "bounce/replay.h"
#include "bounce/timeline.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bouncesim {

class recorders {
  public:
    // Empty names: not wanted.
    struct names {
        std::string mappings, fulls, timeline, exposure, lifetimes;
        bool whole = false; // standard output gets nothing before commit()
    };
    recorders(const names &wanted, const bounce_replay_config &config);
    ~recorders();

    // The device table may grow while the trace is read: to be set before each batch.
    void set_devices(const std::vector<bounce_device> &devices) {
        devices_ = devices.data();
        ndevices_ = devices.size();
    }
    // Hooks into this object; NULL functions where nothing is wanted.
    bounce_replay_hooks hooks();

    // Writes what is left; files appear under their names with commit().
    void finish();
    void commit();

    // Null unless it was wanted.
    const bounce_exposure *exposure() const {
        return exposure_.get();
    }

  private:
    static void on_mapped(void *self, const bounce_event *event, const bounce_map_result *result);
    static void on_full(void *self, const bounce_event *event, const bounce_map_result *result,
                        const bounce_pressure *pressure);
    static void on_changed(void *self, const bounce_event *event, const bounce_swiotlb *mem);
    static void on_taken(void *self, const bounce_event *event, const bounce_map_result *result,
                         const bounce_swiotlb *mem);
    static void on_freed(void *self, const bounce_mapping *mapping);
    void add_mapping(const bounce_event &event, const bounce_map_result &result);
    void write_timeline();
    void write_exposure();

    const bounce_device *devices_ = nullptr;
    std::size_t ndevices_ = 0;
    std::optional<output_file> mappings_, fulls_, timeline_file_, exposure_file_, lifetimes_file_;
    std::string rows_; // mappings not yet written
    std::unique_ptr<bounce_timeline, void (*)(bounce_timeline *)> timeline_;
    std::unique_ptr<bounce_exposure, void (*)(bounce_exposure *)> exposure_;
    std::unique_ptr<lifetimes> lifetimes_;
};

} // namespace bouncesim
