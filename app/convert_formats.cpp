// SPDX-License-Identifier: Apache-2.0
#include "convert_formats.hpp"

#include "errors.hpp"
#include "native_file.hpp"
#include "text.hpp"

#include <map>
#include <sstream>

namespace bouncesim {
namespace {

// ---- native ----

// How much of the pool was in use says nothing about a part of the trace; how large it was does.
std::string counters_of_part(const std::string &text) {
    std::istringstream lines(text);
    std::string kept;
    for (std::string line; std::getline(lines, line);)
        if (line.find("io_tlb_used") == std::string::npos)
            kept += line + "\n";
    return kept;
}

class native_writer : public trace_writer {
  public:
    native_writer(const trace_session &session, packed_output &output) : session_(session) {
        std::string file;
        for (const std::string &path : session.options().traces)
            file += (file.empty() ? "" : " ") + path;
        bounce_native_source source = {file.c_str(), session.format().name,
                                       "bouncesim " BOUNCESIM_VERSION, &session.config().recorded};
        file_ = std::make_unique<native_file>(output, source);
    }
    void set() override {
        std::size_t count = 0;
        const bounce_device *devices = bounce_trace_devices(session_.trace(), &count);
        file_->set(*bounce_trace_recorded(session_.trace()), devices, count);
    }
    void tell(const recording &told, bool part) override {
        for (const auto &[name, text] : told.texts) {
            std::string &known = told_[name];
            std::string now =
                part && name == recording::counters_file ? counters_of_part(text) : text;
            if (known == now)
                continue;
            known = now;
            file_->tell(name.c_str(), now);
        }
    }
    void write(const std::vector<bounce_event> &events) override {
        file_->write(events.data(), events.size());
    }
    void finish(const bounce_trace_counts &counts) override {
        if (std::uint64_t lines = session_.lines_cut())
            file_->tell(recording::converted_file, "lines_cut " + std::to_string(lines) + "\n");
        file_->finish(counts);
    }

  private:
    const trace_session &session_;
    std::map<std::string, std::string> told_; // texts, as written
    std::unique_ptr<native_file> file_;
};

// ---- operation streams ----

class ops_writer : public trace_writer {
  public:
    ops_writer(const trace_session &session, packed_output &output)
        : session_(session), output_(output) {
        if (session.config().requests)
            throw refused_error(session.options().traces[0] +
                                ": requests; an operation stream carries maps and unmaps, "
                                "native (.bnc) and CSV carry requests");
        const bounce_swiotlb_config &pool = session.config().replay.pool;
        text_ = "P " + std::to_string(pool.nslabs) + " " + std::to_string(pool.cpus) + " " +
                std::to_string(pool.nareas) + " " + hex(pool.start) + "\n";
    }
    void write(const std::vector<bounce_event> &events) override {
        for (const bounce_event &event : events)
            add(event);
        output_.write(text_);
        text_.clear();
    }
    void finish(const bounce_trace_counts &) override {
        output_.write(text_);
    }
    std::string lost() const override {
        std::string text = "Not in an operation stream: times, attributes, recorded addresses, and "
                           "that the entries of a list fail together";
        if (session_.config().recorded.grew)
            text += "; how the pool grew (--kernel linux-6.12-dynamic grows it anew)";
        if (direct_)
            text += "; " + with_commas(direct_) + " maps that did not bounce";
        if (unmatched_)
            text += "; " + with_commas(unmatched_) + " unmaps of what was never mapped";
        if (restarts_)
            text +=
                "; " + with_commas(restarts_) + " new boots (what was mapped is unmapped there)";
        return text + ".";
    }

  private:
    struct mapping {
        std::uint64_t id = 0;
        bool live = false;
        std::uint32_t list = BOUNCE_NO_LIST; // of one that failed when recorded
    };

    bool bounces(const bounce_event &event) const {
        const bounce_device &device = session_.devices()[event.device];
        bool reaches = event.orig_addr <= device.dma_mask &&
                       event.size - 1 <= device.dma_mask - event.orig_addr;
        return event.kind == BOUNCE_EVENT_ALLOC || event.recorded >= BOUNCE_RECORDED_ADDRESS ||
               session_.config().replay.allocator_calls || session_.config().replay.force ||
               !reaches;
    }
    void number(std::uint64_t value) {
        text_ += ' ';
        text_ += std::to_string(value);
    }
    void tell_device(std::uint16_t index) {
        const bounce_device &device = session_.devices()[index];
        std::string line = " " + hex(device.min_align_mask) + " " + hex(device.seg_boundary) + " " +
                           hex(device.dma_mask) + "\n";
        std::string &told = told_[index];
        if (told == line)
            return;
        told = line;
        text_ += "D " + std::to_string(index) + line;
    }
    void unmap(mapping &known) {
        if (known.live) {
            text_ += "U " + std::to_string(known.id) + "\n";
            known.live = false;
        }
    }
    void map(const bounce_event &event) {
        mapping &known = live_[event.handle];
        unmap(known);
        if (!bounces(event)) {
            direct_++;
            return;
        }
        tell_device(event.device);
        // The ids of operation streams stay what they are.
        bool own = session_.config().replay.allocator_calls;
        known = {own ? event.id : next_id_++, true, BOUNCE_NO_LIST};
        bool alloc = event.kind == BOUNCE_EVENT_ALLOC;
        text_ += alloc ? "A" : "M";
        number(known.id);
        number(event.cpu);
        number(event.device);
        if (!alloc)
            text_ += " " + hex(event.orig_addr);
        number(event.size);
        if (!alloc) {
            text_ += " " + hex(event.alloc_align_mask);
            number(event.dir == BOUNCE_DIR_NONE ? 0u : event.dir);
        }
        text_ += '\n';
        fail(event);
    }
    // What failed when recorded is given back at once, with what its list had until then.
    void fail(const bounce_event &event) {
        if (event.flags & BOUNCE_EVENT_LIST_OPEN) {
            failing_[event.list].push_back(event.handle);
            if (!(event.flags & BOUNCE_EVENT_LIST_LAST))
                return;
            for (std::uint32_t handle : failing_[event.list])
                unmap(live_[handle]);
            failing_.erase(event.list);
        } else if (event.recorded == BOUNCE_RECORDED_FULL) {
            unmap(live_[event.handle]);
        }
    }
    void add(const bounce_event &event) {
        if (event.handle >= live_.size())
            live_.resize(std::max<std::size_t>(event.handle + 1u, 2 * live_.size()));
        mapping &known = live_[event.handle];
        switch (event.kind) {
        case BOUNCE_EVENT_MAP:
        case BOUNCE_EVENT_ALLOC:
            map(event);
            break;
        case BOUNCE_EVENT_UNMAP:
            unmatched_ += (event.flags & BOUNCE_EVENT_UNMATCHED) && !known.live;
            unmap(known);
            break;
        case BOUNCE_EVENT_SYNC_FOR_CPU:
        case BOUNCE_EVENT_SYNC_FOR_DEVICE:
            if (known.live && event.offset <= UINT32_MAX && event.size <= UINT32_MAX) {
                text_ += "S " + std::to_string(known.id) + " " + hex(event.offset);
                number(event.size);
                text_ += event.kind == BOUNCE_EVENT_SYNC_FOR_CPU ? " C\n" : " D\n";
            }
            break;
        case BOUNCE_EVENT_WORKER:
            text_ += "W\n";
            break;
        case BOUNCE_EVENT_RESTART:
            for (mapping &each : live_)
                unmap(each);
            failing_.clear();
            restarts_++;
            break;
        default:
            break;
        }
    }

    const trace_session &session_;
    packed_output &output_;
    std::string text_;
    std::vector<mapping> live_; // by handle
    std::map<std::uint16_t, std::string> told_;
    std::map<std::uint32_t, std::vector<std::uint32_t>> failing_; // by list: its entries so far
    std::uint64_t next_id_ = 0;
    std::uint64_t direct_ = 0, unmatched_ = 0, restarts_ = 0;
};

template <typename T>
std::unique_ptr<trace_writer> make(const trace_session &session, packed_output &output) {
    return std::make_unique<T>(session, output);
}

constexpr convert_format formats[] = {
    {"native", ".bnc", true, make<native_writer>},
    {"csv", ".csv", true, make_csv_writer},
    {"ops", ".ops", false, make<ops_writer>},
};

} // namespace

const convert_format *find_convert_format(const std::string &text) {
    for (const convert_format &format : formats)
        if (text == format.name || text == format.suffix)
            return &format;
    return nullptr;
}

std::string convert_format_names() {
    std::string names;
    for (const convert_format &format : formats)
        names +=
            (names.empty() ? "" : ", ") + std::string(format.name) + " (" + format.suffix + ")";
    return names;
}

} // namespace bouncesim
