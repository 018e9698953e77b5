// SPDX-License-Identifier: Apache-2.0
#include "sweep.hpp"

#include "errors.hpp"
#include "kernel_tree.hpp"
#include "progress.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

namespace bouncesim {
namespace {

using replay_ptr = std::unique_ptr<bounce_replay, void (*)(bounce_replay *)>;

struct sweep_batch {
    std::vector<bounce_event> events;
    std::vector<bounce_device> devices;
};

// Workers take one configuration after the other for the batch at hand; the next batch begins when
// all are done, so each configuration sees the events in order whoever replays them.
class worker_pool {
  public:
    worker_pool(std::vector<replay_ptr> &replays, unsigned count) : replays_(replays) {
        for (unsigned i = 0; i < count; i++)
            threads_.emplace_back([this] { work(); });
    }
    worker_pool(const worker_pool &) = delete;
    worker_pool &operator=(const worker_pool &) = delete;
    ~worker_pool() {
        {
            std::lock_guard<std::mutex> hold(lock_);
            stop_ = true;
        }
        started_.notify_all();
        for (std::thread &thread : threads_)
            thread.join();
    }

    void begin(const sweep_batch &batch) {
        {
            std::lock_guard<std::mutex> hold(lock_);
            batch_ = &batch;
            next_ = 0;
            busy_ = threads_.size();
            generation_++;
        }
        started_.notify_all();
    }

    // Until every configuration has seen the batch.
    void wait() {
        std::unique_lock<std::mutex> hold(lock_);
        finished_.wait(hold, [this] { return busy_ == 0; });
        if (out_of_memory_)
            throw std::bad_alloc();
    }

  private:
    void work() {
        std::size_t seen = 0;
        for (;;) {
            {
                std::unique_lock<std::mutex> hold(lock_);
                started_.wait(hold, [&] { return stop_ || generation_ != seen; });
                if (stop_)
                    return;
                seen = generation_;
            }
            for (std::size_t i = next_++; i < replays_.size(); i = next_++)
                if (bounce_replay_run(replays_[i].get(), batch_->devices.data(),
                                      batch_->events.data(), batch_->events.size()))
                    out_of_memory_ = true;
            std::lock_guard<std::mutex> hold(lock_);
            if (--busy_ == 0)
                finished_.notify_one();
        }
    }

    std::vector<replay_ptr> &replays_;
    std::vector<std::thread> threads_;
    std::mutex lock_;
    std::condition_variable started_, finished_;
    const sweep_batch *batch_ = nullptr;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> out_of_memory_{false};
    std::size_t generation_ = 0;
    std::size_t busy_ = 0;
    bool stop_ = false;
};

replay_ptr make_replay(const trace_session &session, const sweep_point &point) {
    bounce_replay_config config = session.config().replay;
    bounce_replay *made = nullptr;
    bounce_error error = {};
    config.pool.kernel = point.kernel;
    config.pool.nslabs = point.nslabs;
    config.pool.nareas = point.nareas;
    config.pool.start = point.start;
    session.settle_recorded(config);
    if (bounce_replay_create(&config, nullptr, &made, &error))
        throw refused_error(error.text);
    return replay_ptr(made, bounce_replay_destroy);
}

constexpr std::size_t events_a_batch = 1 << 15;

// Fills `batch` with the next events; false at the end.
bool fill(trace_session &session, sweep_batch &batch) {
    batch.events.clear();
    while (batch.events.size() < events_a_batch) {
        trace_session::batch more = session.next();
        if (!more.count)
            break;
        batch.events.insert(batch.events.end(), more.events, more.events + more.count);
    }
    batch.devices = session.devices();
    return !batch.events.empty();
}

} // namespace

sweep_point make_point(const trace_session &session, const bounce_kernel *kernel,
                       std::uint64_t slots, std::uint32_t areas) {
    sweep_point point;
    bounce_boot boot = {slots, areas, false, false};
    bounce_swiotlb_config pool = session.config().replay.pool;
    pool.kernel = kernel;
    bounce_boot_round(&boot, pool.cpus, &pool.nslabs, &pool.nareas);
    pool.start = session.start_for(pool.nslabs);
    point.kernel = kernel;
    point.bytes = pool.nslabs << BOUNCE_SLOT_SHIFT;
    apply_pool_options(session.options().pool, pool);
    point.nslabs = pool.nslabs;
    point.nareas = pool.nareas;
    point.start = pool.start;
    return point;
}

std::vector<const bounce_kernel *> kernels_for(const std::vector<const bounce_kernel *> &asked,
                                               const trace_session &session) {
    if (asked.empty())
        return {session.config().replay.pool.kernel};
    return asked;
}

std::vector<const bounce_kernel *> read_kernels(const po::variables_map &values) {
    std::vector<const bounce_kernel *> kernels;
    if (!values.count("kernels"))
        return kernels;
    for (const std::string &name : split_kernels(values["kernels"].as<std::string>()))
        kernels.push_back(find_kernel(name, "--kernels"));
    if (kernels.empty())
        throw refused_error("--kernels: a list of kernels was expected, as `bouncesim list "
                            "kernels` shows them");
    if (std::none_of(kernels.begin(), kernels.end(), pools_grow))
        refuse_growth_option(growth_option(values), "any kernel of --kernels");
    return kernels;
}

unsigned read_workers(const po::variables_map &values) {
    unsigned workers = values.count("jobs") ? values["jobs"].as<unsigned>()
                                            : std::max(1u, std::thread::hardware_concurrency());
    if (workers < 1 || workers > 1024)
        throw refused_error("--jobs: 1 to 1024 was expected");
    return workers;
}

void refuse_for_one_pool(const simulation_options &options) {
    if (options.pool.device_slots)
        throw refused_error("--per-device: sizes of one pool are tried; `bouncesim run` takes it");
    if (options.boot && options.boot->noforce)
        throw refused_error("--swiotlb noforce: there is no pool then, and no size to be tried");
}

void run_sweep(trace_session &session, std::vector<sweep_point> &points, unsigned workers) {
    std::vector<replay_ptr> replays;
    sweep_batch batches[2]; // one is replayed while the other is read
    progress_line progress(session);
    for (const sweep_point &point : points)
        replays.push_back(make_replay(session, point));
    {
        worker_pool pool(replays, workers);
        int reading = 0;
        for (bool more = fill(session, batches[reading]); more; reading ^= 1) {
            pool.begin(batches[reading]);
            try {
                more = fill(session, batches[reading ^ 1]);
            } catch (...) {
                pool.wait();
                throw;
            }
            pool.wait();
            progress.update();
        }
    }
    check_throttled_devices(session.config().replay, session.devices());
    check_named_devices(session.options().devices, session.devices());
    for (std::size_t i = 0; i < points.size(); i++) {
        if (bounce_replay_finish(replays[i].get(), session.devices().data()))
            throw std::bad_alloc();
        bounce_replay_stats(replays[i].get(), &points[i].stats);
    }
}

const sweep_point *smallest_without_failures(const std::vector<sweep_point> &points,
                                             const bounce_kernel *kernel, std::uint32_t nareas) {
    const sweep_point *smallest = nullptr;
    for (auto point = points.rbegin(); point != points.rend(); ++point) {
        if (point->kernel != kernel || point->nareas != nareas)
            continue;
        if (point->stats.events_failed_maps)
            break;
        smallest = &*point;
    }
    return smallest;
}

} // namespace bouncesim
