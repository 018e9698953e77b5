// SPDX-License-Identifier: Apache-2.0
// What was inferred, in words.
#include "recording.hpp"
#include "session.hpp"
#include "text.hpp"

namespace bouncesim {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

// Of requests in the window: nothing happens but at whole seconds after the first one.
bool whole_seconds(const std::vector<bounce_event> &events) {
    std::uint64_t last = 0;
    for (const bounce_event &event : events) {
        if (event.kind != BOUNCE_EVENT_ISSUE)
            continue;
        if (event.time_ns % second_ns)
            return false;
        last = event.time_ns;
    }
    return last != 0;
}

} // namespace

void trace_session::describe_inference(bool explained) {
    const bounce_recorded_config &header = *bounce_trace_recorded(trace_);
    const bounce_inference &recorded = config_.recorded;
    auto say = [&](const std::string &line) { config_.inferred.push_back(line); };
    describe_recording();
    if (!config_.size.text.empty())
        say("pool size: " + config_.size.text);
    if (header.level == BOUNCE_LEVEL_REQUESTS)
        return describe_requests();
    if (header.has_header) {
        if (!header.timed)
            say("times: none in the trace, 1 us an operation assumed");
        return;
    }
    std::uint64_t low = 0, high = 0;
    bool has_addresses = bounce_evidence_range(evidence_.get(), &low, &high);
    if (!options_.cpus && !(told_ && told_->cpus))
        say(std::to_string(recorded.cpus) + " CPUs, from " +
            (header.cpus ? "the header" : "the highest CPU seen"));
    if (has_addresses) {
        std::string pool = with_commas(recorded.nslabs) + " slots in " +
                           std::to_string(recorded.nareas) + " areas from 0x" + hex(recorded.start);
        if (explained && recorded.in_use)
            say("recorded pool: " + pool + ", in use when the recording began: explains " +
                with_commas(recorded.explained) + " of the first " + with_commas(recorded.tried) +
                " outcomes");
        else if (recorded.grew)
            describe_growth(pool);
        else if (explained)
            say("recorded pool: " + pool + ": explains " + with_commas(recorded.explained) +
                " of the first " + with_commas(recorded.tried) + " addresses" +
                (recorded.size_is_lower_bound && recorded.size_inferred
                     ? "; a larger one would as well (--swiotlb says which)"
                     : ""));
        else
            say("recorded pool: " + pool + " assumed: no empty pool explains the addresses (0x" +
                hex(low) + " to 0x" + hex(high) +
                "); it was in use when the recording began, or --swiotlb, --cpus or --kernel "
                "differ");
    } else {
        say("recorded pool: no bounce address in the trace; " + with_commas(recorded.nslabs) +
            " slots assumed");
    }
    for (std::size_t i = 0; i < devices_.size(); i++)
        if (devices_[i].min_align_mask)
            say(std::string(devices_[i].name) + ": min_align_mask 0x" +
                hex(devices_[i].min_align_mask) + ", from the addresses");
    if (config_.held_slots)
        say("in use when the recording began: at least " + with_commas(config_.held_slots) +
            " slots" +
            (config_.hidden_slots ? ", of which " + with_commas(config_.hidden_slots) +
                                        " only show where searches passed over them"
                                  : std::string(", as their unmaps tell")));
    describe_force();
}

void trace_session::describe_growth(const std::string &pool) {
    const bounce_kernel *kernel = config_.replay.pool.kernel;
    std::string how = config_.replay.recorded_growth ? "replayed as it grew"
                      : bounce_kernel_grows(kernel)  ? "replayed with a worker of our own"
                                                     : "replayed without growth, as told";
    config_.inferred.push_back("recorded pool: " + pool +
                               " to begin with, and it grew: addresses lie elsewhere too; " + how);
}

void trace_session::describe_requests() {
    const bounce_recorded_config &header = *bounce_trace_recorded(trace_);
    auto say = [&](const std::string &line) { config_.inferred.push_back(line); };
    std::uint32_t cpus = config_.replay.pool.cpus;
    if (header.no_mappings)
        say("no dma events, which Linux has since 6.12: its block requests are taken");
    else if (options_.trace.only == BOUNCE_ONLY_BLOCK)
        say("only block requests, as told");
    say("requests, not mappings: buffers, their addresses and how they are cut are modelled");
    if (!header.timed)
        say("times: none in the trace but those of its waits, 1 us an operation assumed");
    else if (whole_seconds(window_))
        say("times: whole seconds in the trace, what began within one begins at once: peaks are "
            "too high");
    if (header.guessed_unit)
        say("times: nanoseconds, as MQSim and SSDsim write them; --format disksim takes them for "
            "milliseconds");
    if (!options_.cpus && !(told_ && told_->cpus))
        say(std::to_string(cpus) + " CPU" + (cpus == 1 ? "" : "s") +
            (header.cpus ? ", the highest seen" : ", none told"));
    if (config_.assumed_service && options_.raw_requests && !options_.service_ns)
        say("service time: by the models of the devices, no completions in the trace");
    else if (config_.assumed_service)
        say("service time: " + time_text(config_.service_ns) + " a request " +
            (options_.service_ns ? "as told"
                                 : "assumed, no completions in the trace; "
                                   "--service-time says another"));
    if (header.guessed_dirs)
        say("direction: not told, packets are taken as received");
    if (config_.replay.pool.device_nslabs) {
        say("pools: " + with_commas(config_.replay.pool.device_nslabs) +
            " slots a device, as told");
    } else if (!options_.boot && !options_.machine.memory) {
        std::string slots = with_commas(config_.replay.pool.nslabs) + " slots";
        say(told_ && told_->pool().nslabs ? "pool: " + slots + ", as the recording tells"
                                          : "pool: not told, " + slots + " assumed");
    }
    if (config_.others_slots && !options_.held_slots && !options_.usually_held)
        say("held by devices without requests: " + with_commas(config_.others_slots) +
            " slots, in use at both ends of the recording; --held-slots says another number");
    describe_force();
}

// A pipe is not read again.
void trace_session::describe_late_cpus() {
    if (!may_be_contradicted() || rewindable() || !more_cpus())
        return;
    std::string line = "CPU " + std::to_string(bounce_evidence_cpus(evidence_.get()) - 1) +
                       " came later: areas are those of fewer CPUs; --cpus, or a file in place of "
                       "a pipe, gives others";
    if (config_.inferred.back() != line)
        config_.inferred.push_back(line);
}

void trace_session::describe_force() {
    const bounce_recorded_config &header = *bounce_trace_recorded(trace_);
    std::string how = "was forced";
    std::string untrusted = "of untrusted devices' buffers that are not whole pages";
    if (options_.all_by_iommu)
        how = untrusted + " only: the devices are behind an IOMMU, as told";
    else if (header.guessed_force && config_.replay.force)
        how = "is assumed for everything, as with swiotlb=force or in a confidential guest; "
              "--device *:dma_mask=ffffffff bounces by address";
    else if (header.guessed_force)
        how = std::string("by DMA mask, as told; buffers lie ") +
              (options_.raw_requests ? "anywhere in the machine's memory"
                                     : "above 4 GiB where the trace does not say");
    else if (!header.forced)
        how = "by DMA mask, as recorded; --swiotlb ...,force for all";
    if (options_.some_by_iommu && !options_.all_by_iommu)
        how += "; behind the IOMMU " + untrusted + " only";
    config_.inferred.push_back("bouncing " + how);
}

} // namespace bouncesim
