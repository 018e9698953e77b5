// SPDX-License-Identifier: Apache-2.0
// What `gen` makes, in the native format: times, names, masks, scatter lists, and the pool.
#include "gen_output.hpp"
#include "native_file.hpp"

#include "bounce/boot.h"

#include <memory>
#include <vector>

namespace bouncesim {
namespace {

class native_output : public gen_output {
  public:
    native_output(const std::string &target, const std::string &spec_path, const gen_spec &spec)
        : file_(target) {
        bounce_native_source source = {spec_path.c_str(), "gen", "bouncesim " BOUNCESIM_VERSION,
                                       nullptr};
        native_ = std::make_unique<native_file>(file_, source);
        bounce_recorded_config config = {};
        config.cpus = spec.cpus;
        config.timed = true;
        config.forced = config.guessed_force = true;
        config.level = spec.config.requests ? BOUNCE_LEVEL_REQUESTS : BOUNCE_LEVEL_MAPPINGS;
        config.has_completions = spec.config.requests;
        if (!spec.config.requests) { // as in an operation stream; requests leave the pool open
            config.boot.nslabs = spec.nslabs;
            config.boot.nareas = spec.nareas;
            config.start = spec.start ? spec.start : bounce_boot_default_start(spec.nslabs);
            config.has_header = true;
        }
        native_->set(config, spec.names.data(), spec.names.size());
    }
    const char *name() const override {
        return "native";
    }
    void write(const bounce_event *events, std::size_t count) override {
        kept_.assign(events, events + count);
        for (bounce_event &event : kept_) { // the lower handles are those of a reader's own
            event.handle += BOUNCE_HELD_MAX;
            event.list += event.list == BOUNCE_NO_LIST ? 0 : BOUNCE_HELD_MAX;
        }
        records_ += count;
        native_->write(kept_.data(), count);
    }
    void finish(std::uint64_t span_ns) override {
        bounce_trace_counts counts = {};
        counts.records = records_;
        counts.span_ns = span_ns;
        native_->finish(counts);
        file_.commit();
    }

  private:
    packed_output file_;
    std::vector<bounce_event> kept_;
    std::uint64_t records_ = 0;
    std::unique_ptr<native_file> native_;
};

} // namespace

std::unique_ptr<gen_output> make_native_output(const std::string &target,
                                               const std::string &spec_path, const gen_spec &spec) {
    return std::make_unique<native_output>(target, spec_path, spec);
}

} // namespace bouncesim
