// SPDX-License-Identifier: Apache-2.0
#include "recorders.hpp"

#include "errors.hpp"
#include "text.hpp"

#include <charconv>
#include <new>

namespace bouncesim {
namespace {

constexpr std::size_t timeline_rows = 2048;
constexpr std::size_t write_at = 1 << 16;

void add_number(std::string &row, std::uint64_t value, int base = 10) {
    char digits[24];
    auto end = std::to_chars(digits, digits + sizeof(digits), value, base).ptr;
    row.append(digits, static_cast<std::size_t>(end - digits));
}

// A device name is the trace's text: quoted where it would break a CSV row.
void add_text(std::string &row, const char *text) {
    std::string_view view = text;
    if (view.find_first_of(",\"\n") == std::string_view::npos) {
        row += view;
        return;
    }
    row += '"';
    for (char c : view)
        row += c == '"' ? std::string("\"\"") : std::string(1, c);
    row += '"';
}

} // namespace

recorders::recorders(const names &wanted, const bounce_replay_config &config)
    : timeline_(nullptr, bounce_timeline_destroy), exposure_(nullptr, bounce_exposure_destroy) {
    if (!wanted.mappings.empty()) {
        mappings_.emplace(wanted.mappings, wanted.whole);
        rows_ = "id,time_ns,cpu,device,orig_addr,size,dir,tlb_addr,slots,probes,locks,outcome\n";
    }
    if (!wanted.fulls.empty()) {
        fulls_.emplace(wanted.fulls, wanted.whole);
        fulls_->write("id,time_ns,cpu,device,orig_addr,size,alloc_size,slots_needed,cause,nslabs,"
                      "used,free,best_area_free,largest_run\n");
    }
    if (!wanted.timeline.empty()) {
        timeline_file_.emplace(wanted.timeline, wanted.whole);
        timeline_.reset(
            bounce_timeline_create(timeline_rows, config.pool.nslabs ? config.pool.nareas : 0));
        if (!timeline_)
            throw std::bad_alloc();
    }
    if (!wanted.exposure.empty()) {
        if (!bounce_exposure_supports(&config.pool))
            throw refused_error("--exposure follows slots of 2048 bytes in slot sets of at most "
                                "128; this pool has others");
        exposure_file_.emplace(wanted.exposure, wanted.whole);
        exposure_.reset(bounce_exposure_create());
        if (!exposure_)
            throw std::bad_alloc();
    }
    if (!wanted.lifetimes.empty()) {
        lifetimes_file_.emplace(wanted.lifetimes, wanted.whole);
        lifetimes_ = std::make_unique<lifetimes>();
    }
}

recorders::~recorders() = default;

bounce_replay_hooks recorders::hooks() {
    bounce_replay_hooks hooks = {};
    hooks.context = this;
    if (mappings_)
        hooks.mapped = on_mapped;
    if (fulls_ || timeline_)
        hooks.full = on_full;
    if (timeline_ || exposure_ || lifetimes_)
        hooks.changed = on_changed;
    if (exposure_ || lifetimes_) {
        hooks.taken = on_taken;
        hooks.freed = on_freed;
    }
    return hooks;
}

void recorders::on_mapped(void *self, const bounce_event *event, const bounce_map_result *result) {
    static_cast<recorders *>(self)->add_mapping(*event, *result);
}

void recorders::add_mapping(const bounce_event &event, const bounce_map_result &result) {
    add_number(rows_, event.id);
    rows_ += ',';
    add_number(rows_, event.time_ns);
    rows_ += ',';
    add_number(rows_, event.cpu);
    rows_ += ',';
    add_text(rows_, devices_[event.device].name);
    rows_ += ',';
    add_number(rows_, event.orig_addr, 16);
    rows_ += ',';
    add_number(rows_, event.size);
    rows_ += ',';
    rows_ += bounce_dir_name(static_cast<bounce_dir>(event.dir));
    rows_ += ',';
    if (result.outcome == BOUNCE_MAP_OK)
        add_number(rows_, result.tlb_addr, 16);
    rows_ += ',';
    add_number(rows_, result.slots);
    rows_ += ',';
    add_number(rows_, result.probes);
    rows_ += ',';
    add_number(rows_, result.locks);
    rows_ += ',';
    rows_ += bounce_outcome_name(result.outcome);
    rows_ += '\n';
    if (rows_.size() >= write_at) {
        mappings_->write(rows_);
        rows_.clear();
    }
}

void recorders::on_full(void *self, const bounce_event *event, const bounce_map_result *result,
                        const bounce_pressure *pressure) {
    auto *r = static_cast<recorders *>(self);
    if (r->timeline_)
        bounce_timeline_note_full(r->timeline_.get(), event->time_ns, pressure->cause);
    if (!r->fulls_)
        return;
    std::string row;
    auto number = [&](std::uint64_t value, char after = ',', int base = 10) {
        add_number(row, value, base);
        row += after;
    };
    number(event->id);
    number(event->time_ns);
    number(event->cpu);
    add_text(row, r->devices_[event->device].name);
    row += ',';
    number(event->orig_addr, ',', 16);
    number(event->size);
    number(result->alloc_size);
    number(pressure->slots_needed);
    row += bounce_cause_name(pressure->cause);
    row += ',';
    number(pressure->nslabs);
    number(pressure->nslabs - pressure->free);
    number(pressure->free);
    number(pressure->best_area_free);
    number(pressure->largest_run, '\n');
    r->fulls_->write(row);
}

void recorders::on_changed(void *self, const bounce_event *event, const bounce_swiotlb *mem) {
    bool is_map = event->kind == BOUNCE_EVENT_MAP || event->kind == BOUNCE_EVENT_ALLOC;
    auto *r = static_cast<recorders *>(self);
    if (r->timeline_)
        bounce_timeline_note(r->timeline_.get(), event->time_ns, mem, is_map);
    if (r->exposure_ && event->kind == BOUNCE_EVENT_RESTART)
        bounce_exposure_restart(r->exposure_.get());
    if (r->lifetimes_)
        r->lifetimes_->happened(*event);
}

void recorders::on_taken(void *self, const bounce_event *event, const bounce_map_result *result,
                         const bounce_swiotlb *mem) {
    auto *r = static_cast<recorders *>(self);
    if (r->exposure_)
        bounce_exposure_taken(r->exposure_.get(), event, result, mem);
    if (r->lifetimes_)
        r->lifetimes_->taken(*event, *result);
}

void recorders::on_freed(void *self, const bounce_mapping *mapping) {
    auto *r = static_cast<recorders *>(self);
    if (r->exposure_)
        bounce_exposure_freed(r->exposure_.get(), mapping->dma_addr);
    if (r->lifetimes_)
        r->lifetimes_->freed(*mapping);
}

void recorders::write_exposure() {
    if (bounce_exposure_status(exposure_.get()) == BOUNCE_NO_MEMORY)
        throw std::bad_alloc();
    std::string out = "device";
#define COLUMN(name, kind, unit, meaning) out += "," #name;
    BOUNCE_EXPOSURE(COLUMN)
#undef COLUMN
    auto add_field = [&](std::uint64_t value) {
        out += ',';
        add_number(out, value);
    };
    auto add_row = [&](const char *device, const bounce_exposure_row &row) {
        out += '\n';
        add_text(out, device);
#define FIELD(name, kind, unit, meaning) add_field(row.name);
        BOUNCE_EXPOSURE(FIELD)
#undef FIELD
    };
    for (std::size_t i = 0; i < ndevices_; i++)
        add_row(devices_[i].name, bounce_exposure_device(exposure_.get(), i));
    add_row("total", bounce_exposure_total(exposure_.get()));
    exposure_file_->write(out + '\n');
}

void recorders::write_timeline() {
    std::string out = "time_ns,used,used_max,used_hiwater,nslabs,transient_nslabs,"
                      "free_segments_min,maps";
    for (int cause = BOUNCE_CAUSE_NO_POOL; cause < BOUNCE_CAUSE_COUNT; cause++)
        out += std::string(",full_") + bounce_cause_name(static_cast<bounce_cause>(cause));
    for (std::uint32_t area = 0; area < bounce_timeline_areas(timeline_.get()); area++)
        out += ",area" + std::to_string(area) + "_used_max";
    out += '\n';
    const std::uint32_t *areas = nullptr;
    for (std::size_t i = 0;
         const bounce_timeline_row *row = bounce_timeline_get_row(timeline_.get(), i, &areas);
         i++) {
        for (std::uint64_t value : {row->time_ns, row->used, row->used_max, row->used_hiwater,
                                    row->nslabs, row->transient_nslabs, row->free_segments_min}) {
            add_number(out, value);
            out += ',';
        }
        add_number(out, row->maps);
        for (int cause = BOUNCE_CAUSE_NO_POOL; cause < BOUNCE_CAUSE_COUNT; cause++) {
            out += ',';
            add_number(out, row->full[cause]);
        }
        for (std::uint32_t area = 0; area < bounce_timeline_areas(timeline_.get()); area++) {
            out += ',';
            add_number(out, areas[area]);
        }
        out += '\n';
    }
    timeline_file_->write(out);
}

void recorders::finish() {
    if (mappings_)
        mappings_->write(rows_);
    rows_.clear();
    if (timeline_file_)
        write_timeline();
    if (exposure_)
        write_exposure();
    if (lifetimes_)
        lifetimes_file_->write(lifetimes_->text());
}

void recorders::commit() {
    for (std::optional<output_file> *file :
         {&mappings_, &fulls_, &timeline_file_, &exposure_file_, &lifetimes_file_})
        if (*file)
            (*file)->commit();
}

} // namespace bouncesim
