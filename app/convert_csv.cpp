// SPDX-License-Identifier: Apache-2.0
// bouncesim's own CSV, with all columns and comments that its reader knows (docs/formats/csv.md).
#include "convert_formats.hpp"
#include "text.hpp"

#include "bounce/trace.h"

#include <cstring>

namespace bouncesim {
namespace {

class csv_writer : public trace_writer {
  public:
    csv_writer(const trace_session &session, packed_output &output)
        : session_(session), output_(output) {}

    void set() override {
        std::size_t count = 0;
        const bounce_device *devices = bounce_trace_devices(session_.trace(), &count);
        std::string machine = tell_machine(*bounce_trace_recorded(session_.trace()));
        // A time told again later would be one that goes back: another boot.
        if (machine != machine_)
            text_ +=
                (machine_.empty() ? "# bouncesim: from_ns=0" : "# bouncesim:") + machine + "\n";
        machine_ = machine;
        told_.resize(std::max(told_.size(), count));
        for (std::size_t i = 0; i < count; i++) {
            std::string line = "# bouncesim: device=" + name_of(devices[i]) +
                               " dma_mask=" + hex(devices[i].dma_mask) +
                               " seg_boundary=" + hex(devices[i].seg_boundary) +
                               " min_align_mask=" + hex(devices[i].min_align_mask) + "\n";
            if (line != told_[i])
                text_ += told_[i] = line;
        }
        names_.resize(count);
        for (std::size_t i = 0; i < count; i++)
            names_[i] = name_of(devices[i]);
    }
    void write(const std::vector<bounce_event> &events) override {
        if (!header_) {
            header_ = true;
            requests_ = bounce_trace_recorded(session_.trace())->level == BOUNCE_LEVEL_REQUESTS;
            text_ += requests_ ? "time_ns,op,id,device,cpu,size,dir,offset,segments,flags\n"
                               : "time_ns,op,id,device,cpu,size,dir,orig_addr,tlb_addr,offset,"
                                 "outcome,list,flags,seq,bound_seq,alloc_align_mask\n";
        }
        for (const bounce_event &event : events)
            requests_ ? add_request(event) : add_mapping(event);
        flush();
    }
    // The recording may have gone on when nothing was mapped any more.
    void finish(const bounce_trace_counts &counts) override {
        if (header_ && counts.span_ns > newest_ns_)
            text_ += "# bouncesim: until_ns=" + std::to_string(counts.span_ns) + "\n";
        flush();
    }
    std::string lost() const override {
        return std::string("Not in CSV: ") +
               (session_.told() ? "the recorded kernel, pool and counters (--kernel and --swiotlb "
                                  "say them again); "
                                : "") +
               "counts of what the reader left out.";
    }

  private:
    void flush() {
        output_.write(text_);
        text_.clear();
    }
    // As the reader would take it: the cells of a row have no quotes.
    static std::string name_of(const bounce_device &device) {
        std::string name = device.name;
        for (char &c : name)
            if (c <= ' ' || c == ',' || c == '"')
                c = ':';
        return name;
    }
    static std::string tell_machine(const bounce_recorded_config &r) {
        std::string line;
        auto tell = [&](const char *name, std::uint64_t value) {
            line += std::string(" ") + name + "=" + std::to_string(value);
        };
        if (r.cpus)
            tell("cpus", r.cpus);
        if (r.has_header) {
            tell("nslabs", r.boot.nslabs);
            tell("nareas", r.boot.nareas);
            line += " start=" + hex(r.start);
        }
        tell("allocator_calls", r.allocator_calls);
        tell("bounces", r.bounces);
        tell("forced", r.forced);
        tell("guessed_force", r.guessed_force);
        tell("guessed_dirs", r.guessed_dirs);
        tell("guessed_unit", r.guessed_unit);
        tell("tells_requeues", r.tells_requeues);
        tell("no_mappings", r.no_mappings);
        return line;
    }
    void cell(std::uint64_t value) {
        text_ += ',';
        text_ += std::to_string(value);
    }
    void cell_unless_0(std::uint64_t value, bool as_hex = false) {
        text_ += ',';
        if (value)
            text_ += as_hex ? hex(value) : std::to_string(value);
    }
    void cell(const char *value) {
        text_ += ',';
        text_ += value;
    }
    void begin(const bounce_event &event, const char *op) {
        newest_ns_ = std::max(newest_ns_, event.time_ns);
        text_ += std::to_string(event.time_ns);
        cell(op);
    }
    void end() {
        text_ += '\n';
    }

    void add_request(const bounce_event &event) {
        if (event.kind == BOUNCE_EVENT_RESTART) {
            begin(event, "restart");
            text_ += ",,,,,,,,";
            return end();
        }
        bool issue = event.kind == BOUNCE_EVENT_ISSUE;
        begin(event, !issue ? "complete" : event.dir == BOUNCE_FROM_DEVICE ? "read" : "write");
        cell(event.id);
        cell(names_[event.device].c_str());
        cell(event.cpu);
        cell_unless_0(event.size);
        cell(issue && event.dir == BOUNCE_BIDIRECTIONAL ? "bidirectional" : "");
        cell_unless_0(event.offset);
        cell_unless_0(event.segments);
        cell(event.flags & BOUNCE_EVENT_IMPLIED     ? "implied"
             : event.flags & BOUNCE_EVENT_BY_WORKER ? "by_worker"
                                                    : "");
        end();
    }

    void add_mapping(const bounce_event &event) {
        static const char *const ops[] = {
            "map", "alloc", "unmap", "sync_for_cpu", "sync_for_device", "worker", "restart"};
        static const char *const dirs[] = {"bidirectional", "to_device", "from_device", "none"};
        static const char *const outcomes[] = {"", "direct", "address", "ok", "full", "tried", ""};
        bool bare = event.kind == BOUNCE_EVENT_WORKER || event.kind == BOUNCE_EVENT_RESTART;
        bool unmatched = event.flags & BOUNCE_EVENT_UNMATCHED;
        if (event.kind == BOUNCE_EVENT_LOST)
            return add_loss(event);
        if (event.kind > BOUNCE_EVENT_RESTART)
            return;
        begin(event, ops[event.kind]);
        if (event.kind == BOUNCE_EVENT_MAP && (event.flags & BOUNCE_EVENT_IN_LIST))
            join_list(event);
        if (bare) {
            text_ += ",,,,,,,,,,,,,,";
            return end();
        }
        if (unmatched)
            text_ += ',';
        else
            cell(event.id);
        cell(names_[event.device].c_str());
        cell(event.cpu);
        cell_unless_0(event.size);
        cell(dirs[event.dir & 3]);
        cell_unless_0(event.orig_addr, true);
        bool told = event.kind != BOUNCE_EVENT_MAP || event.recorded == BOUNCE_RECORDED_ADDRESS;
        cell_unless_0(told ? event.tlb_addr : 0, true);
        cell_unless_0(event.offset);
        cell(outcomes[event.recorded]);
        text_ += ',';
        if (event.flags & BOUNCE_EVENT_IN_LIST)
            text_ += std::to_string(lists_[event.list]);
        text_ += ',' + flags_of(event);
        cell_unless_0(event.seq);
        cell_unless_0(event.bound_seq);
        cell_unless_0(event.alloc_align_mask, true);
        end();
    }
    void add_loss(const bounce_event &event) {
        begin(event, "lost");
        text_ += ",,";
        cell(event.cpu);
        cell_unless_0(event.size);
        text_ += ",,,,,,,";
        cell_unless_0(event.seq);
        cell_unless_0(event.bound_seq);
        text_ += ',';
        end();
    }
    // A list has the id of its first entry.
    void join_list(const bounce_event &event) {
        if (event.list >= lists_.size())
            lists_.resize(std::max<std::size_t>(event.list + 1u, 2 * lists_.size()));
        if (event.flags & BOUNCE_EVENT_LIST_FIRST)
            lists_[event.list] = event.id;
    }
    static std::string flags_of(const bounce_event &event) {
        static const std::pair<unsigned, const char *> flags[] = {
            {BOUNCE_EVENT_LIST_LAST, "last"},
            {BOUNCE_EVENT_LIST_OPEN, "open"},
            {BOUNCE_EVENT_IMPLIED, "implied"},
            {BOUNCE_EVENT_UNMATCHED, "unmatched"},
            {BOUNCE_EVENT_HELD, "held"}};
        std::string text;
        auto add = [&](const char *word) { text += (text.empty() ? "" : " ") + std::string(word); };
        for (const auto &[flag, word] : flags)
            if (event.flags & flag)
                add(word);
        if (event.attrs & BOUNCE_ATTR_SKIP_CPU_SYNC)
            add("skip_cpu_sync");
        if (event.attrs & BOUNCE_ATTR_NO_WARN)
            add("no_warn");
        return text;
    }

    const trace_session &session_;
    packed_output &output_;
    std::string text_, machine_;
    std::vector<std::string> told_, names_;
    std::vector<std::uint64_t> lists_; // by handle of the first entry: its id
    std::uint64_t newest_ns_ = 0;
    bool header_ = false, requests_ = false;
};

} // namespace

std::unique_ptr<trace_writer> make_csv_writer(const trace_session &session, packed_output &output) {
    return std::make_unique<csv_writer>(session, output);
}

} // namespace bouncesim
