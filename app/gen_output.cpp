// SPDX-License-Identifier: Apache-2.0
#include "gen_output.hpp"

#include "errors.hpp"
#include "output.hpp"
#include "packed_output.hpp"

#include "bounce/boot.h"

#include <charconv>

namespace bouncesim {
namespace {

constexpr std::size_t write_at = 1 << 16;

class text_output : public gen_output {
  public:
    text_output(const std::string &target, const gen_spec &spec) : spec_(spec), file_(target) {}
    void finish(std::uint64_t) override {
        file_.write(text_);
        file_.commit();
    }

  protected:
    void number(std::uint64_t value, int base = 10) {
        char digits[24];
        auto end = std::to_chars(digits, digits + sizeof(digits), value, base).ptr;
        text_.append(digits, static_cast<std::size_t>(end - digits));
    }
    void flush() {
        if (text_.size() < write_at)
            return;
        file_.write(text_);
        text_.clear();
    }

    const gen_spec &spec_;
    std::string text_;

  private:
    output_file file_;
};

// docs/formats/csv.md
class csv_output : public text_output {
  public:
    csv_output(const std::string &target, const gen_spec &spec) : text_output(target, spec) {
        text_ = spec.config.requests
                    ? "time_ns,op,id,device,cpu,size,offset,segments\n"
                    : "time_ns,op,id,device,cpu,dir,orig_addr,size,offset,list,flags\n";
    }
    const char *name() const override {
        return "csv";
    }
    void write(const bounce_event *events, std::size_t count) override {
        for (std::size_t i = 0; i < count; i++) {
            number(events[i].time_ns);
            if (spec_.config.requests)
                request(events[i]);
            else
                mapping(events[i]);
            text_ += '\n';
            flush();
        }
    }

  private:
    void begin(const char *op, const bounce_event &event) {
        text_ += op;
        number(event.id);
        text_ += ',';
        text_ += spec_.names[event.device].name;
        text_ += ',';
        number(event.cpu);
        text_ += ',';
    }
    void request(const bounce_event &event) {
        if (event.kind == BOUNCE_EVENT_COMPLETE) {
            begin(",complete,", event);
            text_ += ",,";
            return;
        }
        begin(event.dir == BOUNCE_FROM_DEVICE ? ",read," : ",write,", event);
        number(event.size);
        text_ += ',';
        number(event.offset);
        text_ += ',';
        number(event.segments);
    }
    void mapping(const bounce_event &event) {
        static const char *const dirs[] = {"bidirectional", "to_device", "from_device"};
        switch (static_cast<bounce_event_kind>(event.kind)) {
        case BOUNCE_EVENT_MAP:
            begin(",map,", event);
            text_ += dirs[event.dir % 3];
            text_ += ',';
            number(event.orig_addr, 16);
            text_ += ',';
            number(event.size);
            text_ += ',';
            list(event);
            break;
        case BOUNCE_EVENT_SYNC_FOR_CPU:
        case BOUNCE_EVENT_SYNC_FOR_DEVICE:
            begin(event.kind == BOUNCE_EVENT_SYNC_FOR_CPU ? ",sync_for_cpu," : ",sync_for_device,",
                  event);
            text_ += dirs[event.dir % 3];
            text_ += ",,";
            number(event.size);
            text_ += ",0,,";
            break;
        default:
            begin(",unmap,", event);
            text_ += dirs[event.dir % 3];
            text_ += ",,";
            number(event.size);
            text_ += ",,,";
        }
    }
    // Entries come one behind the other, the first one before the others.
    void list(const bounce_event &event) {
        text_ += ',';
        if (event.flags & BOUNCE_EVENT_LIST_FIRST)
            list_id_ = event.id;
        if (event.flags & BOUNCE_EVENT_IN_LIST)
            number(list_id_);
        text_ += event.flags & BOUNCE_EVENT_LIST_LAST ? ",last" : ",";
    }

    std::uint64_t list_id_ = 0;
};

// Operation streams: pool and masks, but neither times nor names.
class ops_output : public text_output {
  public:
    ops_output(const std::string &target, const gen_spec &spec) : text_output(target, spec) {
        text_ = "P ";
        number(spec.nslabs);
        text_ += ' ';
        number(spec.cpus);
        text_ += ' ';
        number(spec.nareas);
        text_ += ' ';
        number(spec.start ? spec.start : bounce_boot_default_start(spec.nslabs), 16);
        text_ += '\n';
        for (std::size_t i = 0; i < spec.names.size(); i++) {
            text_ += "D ";
            number(i);
            text_ += ' ';
            number(spec.names[i].min_align_mask, 16);
            text_ += ' ';
            number(spec.names[i].seg_boundary, 16);
            text_ += ' ';
            number(spec.names[i].dma_mask, 16);
            text_ += '\n';
        }
    }
    const char *name() const override {
        return "ops";
    }
    void write(const bounce_event *events, std::size_t count) override {
        for (std::size_t i = 0; i < count; i++) {
            const bounce_event &event = events[i];
            switch (static_cast<bounce_event_kind>(event.kind)) {
            case BOUNCE_EVENT_MAP:
                line('M', event.id);
                field(event.cpu);
                field(event.device);
                field(event.orig_addr, 16);
                field(event.size);
                field(0);
                field(event.dir);
                break;
            case BOUNCE_EVENT_SYNC_FOR_CPU:
            case BOUNCE_EVENT_SYNC_FOR_DEVICE:
                line('S', event.id);
                field(0, 16);
                field(event.size);
                text_ += event.kind == BOUNCE_EVENT_SYNC_FOR_CPU ? " C" : " D";
                break;
            default:
                line('U', event.id);
            }
            text_ += '\n';
            flush();
        }
    }

  private:
    void line(char op, std::uint64_t id) {
        text_ += op;
        field(id);
    }
    void field(std::uint64_t value, int base = 10) {
        text_ += ' ';
        number(value, base);
    }
};

const struct {
    const char *name;
    const char *suffix;
    bool requests; // carries them
    std::unique_ptr<gen_output> (*open)(const std::string &target, const std::string &spec_path,
                                        const gen_spec &spec);
} formats[] = {
    {"csv", ".csv", true,
     [](const std::string &target, const std::string &, const gen_spec &spec) {
         return std::unique_ptr<gen_output>(new csv_output(target, spec));
     }},
    {"native", ".bnc", true, make_native_output},
    {"ops", ".ops", false,
     [](const std::string &target, const std::string &, const gen_spec &spec) {
         return std::unique_ptr<gen_output>(new ops_output(target, spec));
     }},
};

} // namespace

std::string gen_format_names() {
    std::string names;
    for (const auto &format : formats)
        names += (names.empty() ? "" : ", ") + std::string(format.name);
    return names;
}

std::unique_ptr<gen_output> open_gen_output(const std::string &format, const std::string &target,
                                            const std::string &spec_path, const gen_spec &spec) {
    std::string wanted = format, packing;
    std::string suffix = suffix_of(target, &packing);
    if (!packing.empty() && suffix != ".bnc")
        suffix.clear(); // text is written as it is
    for (const auto &row : formats)
        if (wanted.empty() && (suffix == row.suffix))
            wanted = row.name;
    if (wanted.empty() && target == "-")
        wanted = "csv";
    for (const auto &row : formats) {
        if (wanted != row.name)
            continue;
        if (spec.config.requests && !row.requests)
            throw refused_error(spec_path + ": level = \"requests\"; " + wanted +
                                " carries mappings alone, csv and native both");
        return row.open(target, spec_path, spec);
    }
    if (wanted.empty())
        throw refused_error("-o " + target + ": its suffix names no format; --format says one of " +
                            gen_format_names());
    throw refused_error("--format " + wanted + ": one of " + gen_format_names() + " was expected");
}

} // namespace bouncesim
