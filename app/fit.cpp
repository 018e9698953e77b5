// SPDX-License-Identifier: Apache-2.0
#include "fit.hpp"

#include "errors.hpp"
#include "models/service_times.hpp"
#include "session.hpp"

#include <algorithm>
#include <map>

namespace bouncesim {
namespace {

// Sums for a straight line through (bytes, ns).
struct line {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;

    void add(double bytes, double ns) {
        n++;
        x += bytes;
        y += ns;
        xx += bytes * bytes;
        xy += bytes * ns;
    }
    // Never falling; never below 0 at 0 bytes.
    void solve(std::uint64_t &at_0, std::uint64_t &per_kib) const {
        if (n == 0)
            return;
        double spread = xx - x * x / n;
        double slope = spread > 0 ? std::max(0.0, (xy - x * y / n) / spread) : 0;
        slope = x > 0 ? std::min(slope, y / x) : 0;
        at_0 = static_cast<std::uint64_t>((y - slope * x) / n);
        per_kib = static_cast<std::uint64_t>(slope * 1024);
    }
};

struct service {
    line reads, writes;
    models::service_times all;
};

struct issued {
    std::uint64_t time_ns = 0, size = 0;
    bool live = false, write = false;
};

} // namespace

void fit_platform(platform &p, const simulation_options &options, const std::string &path,
                  bool draws) {
    simulation_options other = options;
    other.traces = {path};
    other.raw_requests = true;
    other.shape = nullptr;
    other.boot.reset();
    trace_session session(other);
    if (!session.config().requests)
        throw refused_error("--fit " + path +
                            ": it has mappings, no requests; --only block takes its requests");
    std::map<std::string, service> services;
    std::vector<issued> live;
    for (trace_session::batch batch = session.next(); batch.count; batch = session.next()) {
        for (std::size_t i = 0; i < batch.count; i++) {
            const bounce_event &event = batch.events[i];
            if (event.kind == BOUNCE_EVENT_RESTART)
                live.clear();
            if (event.kind != BOUNCE_EVENT_ISSUE && event.kind != BOUNCE_EVENT_COMPLETE)
                continue;
            if (event.handle >= live.size())
                live.resize(std::size_t{event.handle} + 1);
            issued &request = live[event.handle];
            if (event.kind == BOUNCE_EVENT_ISSUE) {
                request = {event.time_ns, event.size, true, event.dir == BOUNCE_TO_DEVICE};
            } else if (request.live) {
                request.live = false;
                if (event.flags & BOUNCE_EVENT_IMPLIED)
                    continue;
                service &of =
                    services[p.model_of(session.devices()[event.device].name, session.format().name)
                                 .name];
                std::uint64_t ns = event.time_ns - request.time_ns;
                (request.write ? of.writes : of.reads)
                    .add(static_cast<double>(request.size), static_cast<double>(ns));
                if (draws)
                    of.all.add(request.write, request.size, ns);
            }
        }
    }
    if (services.empty())
        throw refused_error("--fit " + path + ": no request in it has a completion");
    for (auto &[name, of] : services) {
        std::shared_ptr<models::service_times> drawn;
        if (draws) {
            drawn = std::make_shared<models::service_times>(std::move(of.all));
            drawn->settle();
        }
        auto fit = [&of = of, &drawn](models::device_model &model) {
            // What a device with a queue takes includes the waiting: no second queue on top.
            model.channels = 1u << 20;
            model.interrupt_ns = 0;
            of.reads.solve(model.read_ns, model.read_ns_per_kib);
            of.writes.solve(model.write_ns, model.write_ns_per_kib);
            model.drawn = drawn;
        };
        for (platform::rule &rule : p.devices)
            if (rule.model.name == name)
                fit(rule.model);
        p.fitted.push_back(*models::find_device_model(name));
        fit(p.fitted.back());
    }
}

} // namespace bouncesim
