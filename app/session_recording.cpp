// SPDX-License-Identifier: Apache-2.0
// What a recording tells beside the trace goes into the configuration, as far as the options do
// not say otherwise and the trace does not contradict.
#include "errors.hpp"
#include "session.hpp"
#include "text.hpp"

#include <algorithm>
#include <new>

namespace bouncesim {
namespace {

// An archive whose trace stands first: the rest of it is read through for what it tells.
std::optional<recording> read_through(const std::vector<std::string> &traces) {
    trace_input file(traces);
    bounce_input source = file.as_input();
    std::vector<char> buffer(1u << 16);
    bounce_error error = {};
    for (std::size_t got = 1; got;)
        if (source.read(source.context, buffer.data(), buffer.size(), &got, &error))
            throw refused_error(file.where(0) + error.text);
    const recording *all = file.recorded();
    return all ? std::optional<recording>(*all) : std::nullopt;
}

} // namespace

void trace_session::take_recording() {
    if (!merge_)
        if (const recording *found = input_->recorded()) {
            told_ = *found;
            bool more = !told_->layout || !told_->has_counters(); // behind the trace, maybe
            if (more && input_->rewindable() && options_.traces.size() == 1)
                told_ = read_through(options_.traces);
            if (told_)
                input_->cut_before(told_->complete_from_ns);
        }
}

// What a native file carries of the archive that it was made from.
void trace_session::take_texts() {
    std::size_t count = 0;
    while (bounce_trace_text_at(trace_, count))
        count++;
    if (count == texts_taken_)
        return;
    texts_taken_ = count;
    told_.emplace();
    for (std::size_t i = 0; i < count; i++) {
        const bounce_trace_text *text = bounce_trace_text_at(trace_, i);
        try {
            told_->add(text->name, std::string(text->text, text->length));
        } catch (const refused_error &e) {
            throw refused_error(input_->where(0) + e.what());
        }
    }
    take_counters();
}

void trace_session::take_counters() {
    if (options_.counters.empty())
        return;
    if (!counted_)
        counted_ = read_counters(options_.counters);
    if (told_)
        told_->take_counters(*counted_);
    else
        told_ = counted_;
}

void trace_session::take_kernel() {
    if (!told_ || options_.kernel_told)
        return;
    if (const char *name = told_->kernel_name())
        options_.kernel = bounce_kernel_find(name);
}

// The recorded machine first: what the trace and its recording tell without the options, then with
// them.
void trace_session::infer_pool(bounce_infer_given given) {
    const bounce_recorded_config &header = *bounce_trace_recorded(trace_);
    auto infer = [&](bounce_inference &out) {
        bounce_status status = bounce_infer_pool(evidence_.get(), &given, &header, devices_.data(),
                                                 window_.data(), window_.size(), &out);
        if (status == BOUNCE_NO_MEMORY)
            throw std::bad_alloc();
    };
    bounce_inference &recorded = config_.recorded;
    if (told_ && !told_->overwritten && told_->begin.used) {
        given.used_known = true;
        given.used = *told_->begin.used;
    }
    given.never_grew = told_ && told_->never_grew();
    if (told_ && !header.has_header) {
        bounce_infer_given plain = given;
        given.boot = told_->pool();
        if (told_->start_size == given.boot.nslabs << BOUNCE_SLOT_SHIFT)
            given.start = told_->start;
        infer(recorded);
        given = plain;
        // Another kernel's counters, or a pool that grew before: the addresses decide.
        if (!recorded.tried || recorded.explained * 20 < recorded.tried * 19) {
            bounce_inference alone = {};
            infer(alone);
            if (alone.explained > recorded.explained) {
                recorded = alone;
                config_.told_contradicted = true;
            }
        }
    } else {
        infer(recorded);
    }
    bool pool_told = told_ && told_->pool().nslabs && !config_.told_contradicted;
    if (options_.boot && options_.boot->nslabs && !header.has_header && !pool_told) {
        bounce_inference asked = {};
        given.boot = *options_.boot;
        given.start = options_.start;
        infer(asked);
        if (asked.explained >= recorded.explained)
            recorded = asked;
    }
}

const recording *trace_session::told() const {
    if (told_ && told_->has_counters())
        return &*told_;
    const recording *found = merge_ ? nullptr : input_->recorded_so_far();
    return found ? found : told_ ? &*told_ : nullptr;
}

void trace_session::describe_recording() {
    auto say = [&](const std::string &line) { config_.inferred.push_back(line); };
    if (!told_)
        return;
    if (!told_->kernel.empty()) {
        std::string option = told_->swiotlb_option();
        say("recorded on Linux " + told_->kernel +
            (told_->cpus ? ", " + std::to_string(told_->cpus) + " possible CPU" +
                               (told_->cpus == 1 ? "" : "s")
                         : "") +
            (option.empty() ? "" : ", swiotlb=" + option));
        if (!options_.kernel_told && !told_->kernel_name())
            say("its search is not modelled: " + std::string(options_.kernel->name) +
                " stands in for it");
    }
    if (config_.told_contradicted)
        say("the pool that the kernel counted explains fewer addresses and was not taken");
}

} // namespace bouncesim
