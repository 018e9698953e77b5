// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include "errors.hpp"
#include "kernel_tree.hpp"
#include "output.hpp"
#include "text.hpp"

#include <algorithm>

namespace bouncesim {

trace_session::trace_session(const simulation_options &options,
                             std::shared_ptr<bounce_evidence> evidence)
    : options_(options), evidence_(std::move(evidence)), second_pass_(evidence_ != nullptr) {
    bounce_error error = {};
    open_input();
    take_recording();
    if (!evidence_)
        evidence_.reset(bounce_evidence_create(), bounce_evidence_destroy);
    bounce_input source = merge_ ? bounce_blktrace_merge_input(merge_.get()) : input_->as_input();
    if (bounce_trace_open(&source, &options_.trace, &trace_, &error)) {
        if (interrupted())
            throw run_error("interrupted");
        throw refused_error(where(error.line) + error.text);
    }
    bounce_trace_on_note(trace_, options_.note, options_.note_context);
    try {
        take_counters();
        take_texts();
        take_kernel();
        check_files();
        read_window();
        std::vector<bounce_event> as_read =
            options_.as_read ? window_ : std::vector<bounce_event>();
        resolve();
        if (options_.as_read) {
            window_.swap(as_read);
        } else {
            start_requests();
            start_order();
        }
    } catch (...) {
        bounce_trace_close(trace_);
        throw;
    }
}

trace_session::~trace_session() {
    bounce_trace_close(trace_);
}

namespace {

// Empty files are those of CPUs that saw nothing: the first other one decides.
bool is_blktrace(const std::vector<std::string> &paths) {
    for (const std::string &path : paths) {
        trace_input file({path});
        bounce_input source = file.as_input();
        char head[BOUNCE_BLKTRACE_HEAD];
        std::size_t length = 0, got = 0;
        do {
            if (source.read(source.context, head + length, sizeof(head) - length, &got, nullptr))
                return false; // said when it is read in earnest
            length += got;
        } while (got && length < sizeof(head));
        if (length)
            return bounce_blktrace_is(head, length);
    }
    return false;
}

} // namespace

void trace_session::open_input() {
    input_ = std::make_unique<trace_input>(options_.traces);
    if (options_.traces.size() < 2 || !input_->rewindable() || !is_blktrace(options_.traces))
        return;
    std::vector<bounce_input> sources;
    bounce_blktrace_merge *made = nullptr;
    bounce_error error = {};
    for (const std::string &path : options_.traces) {
        parts_.push_back(std::make_unique<trace_input>(std::vector<std::string>{path}));
        part_names_.push_back(path.c_str());
        sources.push_back(parts_.back()->as_input());
    }
    if (bounce_blktrace_merge_create(sources.data(), part_names_.data(), sources.size(), &made,
                                     &error))
        throw std::bad_alloc();
    merge_.reset(made);
}

// What is refused while files are merged names its file itself.
std::string trace_session::where(std::uint64_t line) const {
    return merge_ ? std::string() : input_->where(line);
}

std::size_t trace_session::read_events(std::vector<bounce_event> &into, std::size_t most) {
    bounce_error error = {};
    std::size_t got = 0;
    if (interrupted())
        throw run_error("interrupted");
    into.resize(most);
    bounce_status status = bounce_trace_next(trace_, into.data(), most, &got, &error);
    into.resize(got);
    if (interrupted())
        throw run_error("interrupted");
    if (status != BOUNCE_OK && status != BOUNCE_END)
        throw refused_error(where(error.line) + error.text);
    if (got == 0)
        take_texts(); // that stand behind the events
    if (!second_pass_ && !bounce_evidence_add(evidence_.get(), into.data(), got))
        throw std::bad_alloc();
    bounce_infer_begun(evidence_.get(), into.data(), got);
    return got;
}

void trace_session::read_window() {
    read_events(window_, window_events);
    if (!window_.empty())
        return check_only();
    const bounce_trace_counts seen = counts();
    std::string records = with_commas(seen.records);
    std::string others = seen.malformed
                             ? " and " + counted(seen.malformed, "line(s) that cannot be "
                                                                 "read")
                             : "";
    if (seen.records == 0 && bounce_trace_recorded(trace_)->level == BOUNCE_LEVEL_REQUESTS)
        throw refused_error(input_->where(0) + "no records in it; requests were expected");
    if (seen.records == 0)
        throw refused_error(input_->where(0) +
                            "no events in it; a recording of the dma and swiotlb "
                            "trace events was expected");
    if (options_.trace.only == BOUNCE_ONLY_BLOCK)
        throw refused_error(input_->where(0) + "none of its " + records +
                            " records is a block request that moves data; record the trace "
                            "events block_rq_issue and block_rq_complete");
    if (bounce_trace_recorded(trace_)->level == BOUNCE_LEVEL_REQUESTS)
        throw refused_error(input_->where(0) + "none of its " + records + " records" + others +
                            " moves data; requests when they are issued were expected "
                            "(blktrace: the actions D and C, in the default layout of blkparse)");
    throw refused_error(input_->where(0) + "none of its " + records +
                        " events maps a buffer; record the trace events dma:* and swiotlb:*");
}

// Behind the first one libtracecmd would see nothing; files of CPUs one after the other would be
// taken for several recordings.
void trace_session::check_files() const {
    if (options_.traces.size() > 1 && !merge_ && std::string(format().name) == "blktrace")
        throw refused_error(options_.traces[1] + ": blktrace files are merged by time, which takes "
                                                 "files, not pipes; `blkparse -d FILE` makes one "
                                                 "of several");
    if (options_.traces.size() > 1 && std::string(format().name) == "trace.dat")
        throw refused_error(options_.traces[1] + ": " + format().name +
                            " files are read one at a time; `trace-cmd report` of several may be "
                            "given together");
}

// Only kernel events have both; what is asked for must be what the trace has.
void trace_session::check_only() const {
    bool requests = bounce_trace_recorded(trace_)->level == BOUNCE_LEVEL_REQUESTS;
    if (options_.trace.only == BOUNCE_ONLY_MAPPINGS && requests)
        throw refused_error(input_->where(0) + "--only mappings: " + format().name +
                            " has requests, no mappings");
    if (options_.trace.only == BOUNCE_ONLY_BLOCK && !requests)
        throw refused_error(input_->where(0) + "--only block: " + format().name +
                            " has mappings, no requests");
}

void trace_session::update_devices() {
    std::size_t count = 0;
    const bounce_device *seen = bounce_trace_devices(trace_, &count);
    for (std::size_t i = 0; i < count; i++) {
        bounce_device device = seen[i];
        if (i == used_masks_.size())
            used_masks_.push_back(bounce_trace_recorded(trace_)->has_header
                                      ? device.min_align_mask
                                      : bounce_evidence_min_align_mask(
                                            evidence_.get(), static_cast<std::uint16_t>(i)));
        device.min_align_mask = used_masks_[i];
        if (told_ && device.dma_mask == UINT64_MAX) // nothing of it bounced, or it reaches all
            device.dma_mask = told_->dma_mask(device.name).value_or(device.dma_mask);
        if (options_.shape && bounce_trace_recorded(trace_)->level == BOUNCE_LEVEL_REQUESTS)
            options_.shape(device, format().name);
        for (const device_setting &setting : options_.devices) {
            if (setting.name != "*" && setting.name != device.name)
                continue;
            device.dma_mask = setting.dma_mask.value_or(device.dma_mask);
            device.seg_boundary = setting.seg_boundary.value_or(device.seg_boundary);
            device.min_align_mask = setting.min_align_mask.value_or(device.min_align_mask);
        }
        if (i == devices_.size())
            devices_.push_back(device);
        else
            devices_[i] = device;
    }
}

std::uint64_t trace_session::start_for(std::uint64_t nslabs) const {
    const bounce_inference &recorded = config_.recorded;
    if (options_.start)
        return options_.start;
    if (!recorded.start || recorded.nslabs == nslabs)
        return recorded.start ? recorded.start : bounce_boot_default_start(nslabs);
    // Firmware and kernel hand memory out from the top: another pool would end where this one did.
    std::uint64_t end = recorded.start + (recorded.nslabs << BOUNCE_SLOT_SHIFT);
    std::uint64_t bytes = nslabs << BOUNCE_SLOT_SHIFT;
    return end > bytes + (1u << 20) ? end - bytes : bounce_boot_default_start(nslabs);
}

void trace_session::resolve() {
    const bounce_recorded_config &header = *bounce_trace_recorded(trace_);
    bounce_infer_given given = {};
    given.kernel = bounce_kernel_is_proposed(options_.kernel) ? bounce_kernel_find("linux-6.12")
                                                              : options_.kernel;
    given.cpus = options_.cpus ? options_.cpus : header.has_header ? header.cpus : 0;
    if (!given.cpus && told_)
        given.cpus = told_->cpus;
    given.start = header.start;
    given.boot = header.boot;
    update_devices();
    std::uint64_t low = 0, high = 0;
    if (bounce_evidence_range(evidence_.get(), &low, &high))
        add_held(low, high);

    infer_pool(given);
    if (tells_order())
        add_held(config_.recorded.start,
                 config_.recorded.start + (config_.recorded.nslabs << BOUNCE_SLOT_SHIFT));
    if (config_.recorded.passed)
        add_hidden();

    const bounce_inference &recorded = config_.recorded;
    bounce_replay_config &replay = config_.replay;
    const bounce_machine &machine = options_.machine;
    config_.size = decide_pool_size(options_, header, recorded);
    config_.no_pool = config_.size.nslabs == 0;
    std::uint64_t nslabs = config_.size.nslabs;
    std::uint32_t nareas = config_.size.nareas;
    bool masks = std::any_of(options_.devices.begin(), options_.devices.end(),
                             [](const device_setting &d) { return d.dma_mask.has_value(); });
    bool force = header.forced && !(header.guessed_force && masks);
    bool asked = options_.boot ? options_.boot->force : header.has_header && header.boot.force;
    force = force || (options_.boot && asked);
    if (options_.force)
        force = *options_.force || asked;
    force = force || machine.guest != BOUNCE_GUEST_NONE;
    bool grows = recorded.grew && !options_.kernel_told;
    replay.pool.kernel = grows ? bounce_kernel_find("linux-6.12-dynamic") : options_.kernel;
    if (!pools_grow(replay.pool.kernel))
        refuse_growth_option(options_.growth_option, replay.pool.kernel->name);
    replay.pool.nslabs = nslabs;
    replay.pool.nareas = nareas;
    replay.pool.cpus = recorded.cpus;
    replay.pool.start = start_for(nslabs);
    replay.pool.lost_orders = options_.lost_orders;
    replay.pool.reuse_pages = !header.allocator_calls;
    replay.pool.encrypted = machine.guest != BOUNCE_GUEST_NONE;
    replay.pool.memory = machine.memory;
    replay.worker_delay_ns = options_.worker_delay_ns;
    replay.conversion_page_ns = bounce_guest_conversion_ns(machine.guest);
    replay.force = force && !config_.no_pool;
    replay.allocator_calls = header.allocator_calls;
    config_.requests = header.level == BOUNCE_LEVEL_REQUESTS;
    if (options_.service_ns && !config_.requests)
        throw refused_error("--service-time: belongs to traces of requests; this one tells when "
                            "buffers are unmapped");
    if (options_.held_slots && !config_.requests)
        throw refused_error("--held-slots: belongs to traces of requests; of this one, unmaps and "
                            "--counters tell what was in use when it began");
    config_.assumed_service =
        config_.requests && (!header.has_completions || options_.service_ns.has_value());
    config_.service_ns = options_.service_ns.value_or(BOUNCE_DEFAULT_SERVICE_NS);
    settle_recorded(replay);
    config_.as_recorded = replay.as_recorded;
    apply_pool_options(options_.pool, replay.pool);
    replay.throttle = throttle_.get();
    count_held();
    count_others();
    describe_inference(tells_order());
}

// No older one than 6.12 records addresses.
const bounce_kernel *trace_session::order_kernel() const {
    return bounce_kernel_find(config_.recorded.grew ? "linux-6.12-dynamic" : "linux-6.12");
}

void trace_session::settle_recorded(bounce_replay_config &replay) const {
    const bounce_inference &recorded = config_.recorded;
    const bounce_swiotlb_config &pool = replay.pool;
    replay.as_recorded =
        !config_.requests && pool.nslabs == recorded.nslabs && pool.nareas == recorded.nareas &&
        pool.start == recorded.start && !config_.no_pool &&
        !bounce_kernel_is_proposed(pool.kernel) && !options_.pool.any() &&
        (!recorded.grew || (bounce_kernel_grows(pool.kernel) && options_.growth_option.empty()));
    replay.recorded_growth = replay.as_recorded && recorded.grew && !options_.recorded_order;
    replay.in_step = replay.as_recorded && order_ && pool.kernel == order_kernel();
}

// The recorded machine's allocator must explain the first addresses before it can tell an order.
bool trace_session::tells_order() const {
    const bounce_inference &recorded = config_.recorded;
    return recorded.tried &&
           (recorded.explained + recorded.transients + recorded.passed) * 2 >= recorded.tried;
}

void trace_session::start_order() {
    const bounce_inference &recorded = config_.recorded;
    bounce_order *made = nullptr;
    bounce_error error = {};
    if (options_.recorded_order || bounce_trace_recorded(trace_)->has_header || !tells_order())
        return;
    bounce_order_config wanted = {config_.replay.pool, false, recorded.in_use};
    bounce_swiotlb_config &pool = wanted.pool;
    pool.kernel = order_kernel();
    pool.nslabs = recorded.nslabs;
    pool.nareas = recorded.nareas;
    pool.start = recorded.start;
    pool.slot_size = pool.segment_slots = 0;
    pool.device_nslabs = 0;
    if (bounce_order_create(&wanted, &made, &error))
        throw run_error(error.text);
    order_.reset(made);
    settle_recorded(config_.replay);
}

const bounce_order_stats *trace_session::order_stats() {
    if (!order_)
        return nullptr;
    bounce_order_get_stats(order_.get(), &order_stats_);
    return &order_stats_;
}

void trace_session::start_requests() {
    bounce_requests *made = nullptr;
    bounce_error error = {};
    if (!config_.requests || options_.raw_requests)
        return;
    bounce_requests_config wanted = {config_.assumed_service, config_.service_ns, 0,
                                     config_.others_slots};
    if (bounce_requests_create(&wanted, &made, &error))
        throw std::bad_alloc();
    requests_.reset(made);
}

trace_session::batch trace_session::next_mappings() {
    std::size_t got = 0, taken = 0;
    mappings_.resize(batch_events);
    for (;;) {
        if (!pending_.count && !requests_ended_) {
            pending_ = next_recorded();
            requests_ended_ = pending_.count == 0;
        }
        if (bounce_requests_next(requests_.get(), devices_.data(), pending_.events, pending_.count,
                                 &taken, mappings_.data(), mappings_.size(), &got))
            throw std::bad_alloc();
        pending_.events += taken;
        pending_.count -= taken;
        if (got || (requests_ended_ && !pending_.count))
            return {mappings_.data(), got};
    }
}

bounce_requests_counts trace_session::mapping_counts() const {
    bounce_requests_counts counts = {};
    if (requests_)
        bounce_requests_get_counts(requests_.get(), &counts);
    return counts;
}

trace_session::batch trace_session::next() {
    if (requests_)
        return next_mappings();
    if (!order_)
        return next_recorded();
    ordered_.resize(batch_events);
    for (;;) {
        std::size_t got =
            bounce_order_pop(order_.get(), ordered_.data(), ordered_.size(), all_read_);
        if (got || all_read_)
            return {ordered_.data(), got};
        if (!unordered_.count) {
            unordered_ = next_recorded();
            all_read_ = unordered_.count == 0;
            continue;
        }
        std::size_t taken =
            bounce_order_push(order_.get(), devices_.data(), unordered_.events, unordered_.count);
        if (!taken)
            throw std::bad_alloc();
        unordered_.events += taken;
        unordered_.count -= taken;
    }
}

trace_session::batch trace_session::next_recorded() {
    if (window_used_ < window_.size()) {
        std::size_t at = window_used_;
        std::size_t count = std::min(window_.size() - at, batch_events);
        window_used_ += count;
        return {window_.data() + at, count};
    }
    if (!read_events(batch_, batch_events))
        describe_late_cpus();
    update_devices();
    return {batch_.data(), batch_.size()};
}

bool trace_session::may_be_contradicted() const {
    return !bounce_trace_recorded(trace_)->has_header && !second_pass_;
}

// Of those that were counted, not told: one came that the first events did not have.
bool trace_session::more_cpus() const {
    return !options_.cpus && !(told_ && told_->cpus) &&
           bounce_evidence_cpus(evidence_.get()) > config_.recorded.cpus;
}

bool trace_session::contradicted() const {
    if (!may_be_contradicted())
        return false;
    if (more_cpus())
        return true;
    for (std::size_t i = 0; i < used_masks_.size(); i++)
        if (bounce_evidence_min_align_mask(evidence_.get(), static_cast<std::uint16_t>(i)) !=
            used_masks_[i])
            return true;
    std::uint64_t low = 0, high = 0;
    const bounce_inference &recorded = config_.recorded;
    return !recorded.grew && bounce_evidence_range(evidence_.get(), &low, &high) &&
           (low < recorded.start || high > recorded.start + (recorded.nslabs << BOUNCE_SLOT_SHIFT));
}

bounce_trace_counts trace_session::counts() const {
    bounce_trace_counts counts = *bounce_trace_get_counts(trace_);
    if (merge_)
        counts.cut_records += bounce_blktrace_merge_cut(merge_.get());
    return counts;
}

const bounce_format &trace_session::format() const {
    return *bounce_trace_format(trace_);
}

bool trace_session::timed() const {
    return bounce_trace_recorded(trace_)->timed;
}

double trace_session::progress() const {
    std::uint64_t total = input_->bytes_total(), read = input_->bytes_read();
    for (const auto &part : parts_)
        read += part->bytes_read();
    return total ? static_cast<double>(read) / static_cast<double>(total) : -1.0;
}

} // namespace bouncesim
