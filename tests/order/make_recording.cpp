// SPDX-License-Identifier: Apache-2.0
// Prints a recording as ftrace text, of a machine that never was: CPUs map and unmap at the same
// time on the allocator core, which stands for the kernel's. What a real recording leaves open is
// left open here too: an allocation happens somewhere between its swiotlb_bounced record and its
// dma_map record, a free somewhere before its dma_unmap record, interrupts nest, CPUs stall, lists
// that fail leave their swiotlb_bounced records alone, and give back one entry after the other.
//
// make_recording SEED [KEY=VALUE...] > trace; the truth goes to standard error as one JSON object.
#include "bounce/swiotlb.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

struct settings {
    std::map<std::string, std::uint64_t> values = {
        {"records", 20000}, {"slots", 0}, // 0: by the seed
        {"cpus", 0},        {"areas", 0},   {"devices", 0},  {"grow", 0},
        {"pressure", 0},    {"live", 0},    {"lose", 0},     {"foreign", 0},
        {"early", 0},       {"overlap", 1}, {"truncate", 0}, {"header", 1},
        {"orders", 99},     {"worker", 0},  {"flags", 1},    {"start", 0},
    };
    std::uint64_t operator[](const char *key) const {
        return values.at(key);
    }
};

class random_numbers {
  public:
    explicit random_numbers(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {
        for (int i = 0; i < 8; i++)
            next();
    }
    std::uint64_t below(std::uint64_t n) {
        return next() % n;
    }
    bool chance(unsigned percent) {
        return below(100) < percent;
    }

  private:
    std::uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ * 0x2545f4914f6cdd1du >> 16;
    }
    std::uint64_t state_;
};

struct request {
    unsigned device = 0;
    bool to_device = false;
    bool list = false;
    std::vector<std::uint64_t> origs, sizes, tlbs;
};

using program = std::deque<std::function<void()>>;

struct context {
    char level; // '.', 's' or 'h' as in the records
    int pid;
    program steps;
};

struct cpu_state {
    std::vector<context> stack; // the last one runs
    std::uint64_t stalled_until = 0;
    bool losing = false;
    std::uint64_t lost = 0;
};

struct device_model {
    bounce_device device = {};
    unsigned list_percent = 0, most_entries = 1, largest_pages = 1, depth = 8;
    unsigned outstanding = 0;
    std::deque<std::shared_ptr<request>> retries;
};

class machine {
  public:
    machine(std::uint64_t seed, const settings &wanted);
    ~machine() {
        bounce_swiotlb_destroy(mem_);
    }
    void run();

  private:
    void record(unsigned cpu, const std::string &text);
    void submit(unsigned cpu, std::shared_ptr<request> r);
    void complete(unsigned cpu, const std::shared_ptr<request> &r);
    void map_list(unsigned cpu, std::shared_ptr<request> r, program &steps);
    void give_back(unsigned cpu, const std::shared_ptr<request> &r, std::size_t count);
    bool allocate(unsigned cpu, request &r, std::size_t i);
    std::shared_ptr<request> make(unsigned device);
    void tick();
    void start_work(unsigned cpu);
    void interrupt(unsigned cpu);
    void worker(unsigned cpu);
    void foreigner();
    void report() const;

    settings wanted_;
    random_numbers random_;
    bounce_swiotlb *mem_ = nullptr;
    std::vector<cpu_state> cpus_;
    std::vector<device_model> devices_;
    std::vector<std::pair<std::uint64_t, std::shared_ptr<request>>> finishing_;
    std::uint64_t now_ = 0, time_us_ = 5000000, records_ = 0;
    std::uint64_t maps_ = 0, failed_ = 0, nslabs_ = 0, hiwater_ = 0, skip_ = 0;
    std::uint64_t worker_due_ = UINT64_MAX;
    std::vector<std::uint64_t> foreign_;
    bounce_device foreign_device_ = {};
    unsigned pressure_ = 1, nareas_ = 1;
};

std::string number(const char *format, std::uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof(text), format, value);
    return text;
}

std::string hexed(std::uint64_t value) {
    return number("%" PRIx64, value);
}

std::string array(const std::vector<std::uint64_t> &values, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < values.size() && i < most; i++)
        text += (i ? ",0x" : "0x") + hexed(values[i]);
    return "{" + text + "}";
}

machine::machine(std::uint64_t seed, const settings &wanted) : wanted_(wanted), random_(seed) {
    auto pick = [&](const char *key, std::uint64_t otherwise) {
        return wanted_[key] ? wanted_[key] : otherwise;
    };
    std::uint64_t by_seed = 512u << random_.below(4), cpus_by_seed = 2 + random_.below(7);
    std::uint64_t devices_by_seed = 1 + random_.below(3), pressure_by_seed = 1 + random_.below(3);
    std::uint64_t orders = random_.below(3);
    unsigned cpus = static_cast<unsigned>(pick("cpus", cpus_by_seed));
    bounce_boot boot = {};
    boot.nslabs = pick("slots", by_seed);
    boot.nareas = static_cast<std::uint32_t>(wanted_["areas"]);
    bounce_swiotlb_config config = {};
    bounce_boot_round(&boot, cpus, &config.nslabs, &config.nareas);
    config.kernel = bounce_kernel_find(wanted_["grow"] ? "linux-6.12-dynamic" : "linux-6.12");
    config.cpus = cpus;
    config.start = pick("start", 0x7b000000 + (random_.below(256) << 12) * 16);
    config.reuse_pages = random_.chance(70);
    config.lost_orders =
        static_cast<std::uint32_t>(wanted_["orders"] != 99 ? wanted_["orders"] : orders);
    config.pages_start = 0x10000000 + (random_.below(1 << 12) << 12);
    bounce_error error = {};
    if (bounce_swiotlb_create(&config, &mem_, &error)) {
        std::fprintf(stderr, "%s\n", error.text);
        std::exit(2);
    }
    nslabs_ = config.nslabs;
    nareas_ = config.nareas;
    pressure_ = static_cast<unsigned>(pick("pressure", pressure_by_seed));
    cpus_.resize(cpus);
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        cpus_[cpu].stack.push_back({'.', static_cast<int>(100 + cpu), {}});
    devices_.resize(pick("devices", devices_by_seed));
    for (std::size_t i = 0; i < devices_.size(); i++) {
        device_model &d = devices_[i];
        bounce_device_init(&d.device, ("0000:00:0" + std::to_string(2 + i) + ".0").c_str());
        d.device.min_align_mask = random_.chance(50) ? 0xfff : 0;
        d.list_percent = static_cast<unsigned>(random_.below(3) * 35);
        d.most_entries = static_cast<unsigned>(2 + random_.below(20));
        d.largest_pages = 1u << random_.below(6);
        // Enough to fill the pool pressure_ halves of a time.
        std::uint64_t typical =
            1 + d.largest_pages / 2 * (1 + d.list_percent * d.most_entries / 200);
        d.depth =
            static_cast<unsigned>(nslabs_ * pressure_ / 2 / devices_.size() / (2 * typical)) + 2;
    }
    bounce_device_init(&foreign_device_, "foreign");
    skip_ = wanted_["live"];
}

void machine::record(unsigned cpu, const std::string &text) {
    cpu_state &c = cpus_[cpu];
    const context &top = c.stack.back();
    char line[160];
    time_us_ += random_.below(4);
    if (records_++ < skip_)
        return;
    if (wanted_["lose"] && records_ % wanted_["lose"] == 0)
        c.losing = true;
    if (c.losing) {
        c.lost++;
        if (c.lost < 40 + random_.below(60))
            return;
        std::printf("CPU:%u [LOST %" PRIu64 " EVENTS]\n", cpu, c.lost);
        c.losing = false;
        c.lost = 0;
        return;
    }
    std::string flags = wanted_["flags"] ? std::string("..") + top.level + "1. " : std::string();
    std::snprintf(line, sizeof(line), "%16s-%-7d [%03u] %s%5" PRIu64 ".%06" PRIu64 ": ",
                  top.level == '.' ? "fio" : "<idle>", top.level == '.' ? top.pid : 0, cpu,
                  flags.c_str(), time_us_ / 1000000, time_us_ % 1000000);
    std::printf("%s%s\n", line, text.c_str());
}

bool machine::allocate(unsigned cpu, request &r, std::size_t i) {
    bounce_map_request wanted = {};
    bounce_map_result result = {};
    wanted.device = &devices_[r.device].device;
    wanted.orig_addr = r.origs[i];
    wanted.size = r.sizes[i];
    wanted.cpu = cpu;
    bounce_swiotlb_map(mem_, &wanted, &result);
    if (worker_due_ == UINT64_MAX && bounce_swiotlb_worker_queued(mem_))
        worker_due_ = now_ + 1 + random_.below(wanted_["worker"] ? wanted_["worker"] : 400);
    if (records_ >= skip_)
        hiwater_ = std::max<std::uint64_t>(hiwater_, bounce_swiotlb_get_counts(mem_)->used);
    if (result.outcome != BOUNCE_MAP_OK)
        return false;
    r.tlbs.push_back(result.tlb_addr);
    return true;
}

std::shared_ptr<request> machine::make(unsigned device) {
    device_model &d = devices_[device];
    auto r = std::make_shared<request>();
    r->device = device;
    r->to_device = random_.chance(50);
    r->list = random_.chance(d.list_percent);
    std::size_t entries = r->list ? 2 + random_.below(d.most_entries) : 1;
    if (r->list && wanted_["truncate"] && random_.chance(5))
        entries = 130 + random_.below(60);
    for (std::size_t i = 0; i < entries; i++) {
        std::uint64_t pages = 1 + random_.below(d.largest_pages);
        std::uint64_t orig = 0x30000000 + (random_.below(1 << 17) << 12), size = pages << 12;
        if (entries > 128)
            size = 4096;
        if (random_.chance(20)) { // not whole pages
            orig += random_.below(8) * 512;
            size = 1 + random_.below(std::min<std::uint64_t>(size, 3584));
        }
        r->origs.push_back(orig);
        r->sizes.push_back(size);
    }
    return r;
}

void machine::give_back(unsigned cpu, const std::shared_ptr<request> &r, std::size_t count) {
    program &steps = cpus_[cpu].stack.back().steps;
    program first;
    for (std::size_t i = 0; i < count; i++)
        first.push_back(
            [this, r, i] { bounce_swiotlb_unmap(mem_, &devices_[r->device].device, r->tlbs[i]); });
    if (!wanted_["overlap"]) {
        for (auto &step : first)
            step();
        first.clear();
    }
    first.push_back([this, r] {
        r->tlbs.clear();
        devices_[r->device].retries.push_back(r);
    });
    steps.insert(steps.begin(), first.begin(), first.end());
}

void machine::submit(unsigned cpu, std::shared_ptr<request> r) {
    program &steps = cpus_[cpu].stack.back().steps;
    const std::string name = devices_[r->device].device.name;
    const std::string dir = r->to_device ? "TO_DEVICE" : "FROM_DEVICE";
    auto finish = [this, r] {
        finishing_.emplace_back(now_ + 50 + random_.below(random_.chance(5) ? 8000 : 1500), r);
    };
    for (std::size_t i = 0; i < r->origs.size(); i++) {
        steps.push_back([this, cpu, r, i, name] {
            maps_ += records_ >= skip_;
            record(cpu, "swiotlb_bounced: dev_name: " + name +
                            " dma_mask=ffffffffffffffff dev_addr=" + hexed(r->origs[i]) +
                            " size=" + std::to_string(r->sizes[i]) + " FORCE");
        });
        steps.push_back([this, cpu, r, i, name, dir] {
            if (allocate(cpu, *r, i))
                return;
            failed_ += records_ >= skip_;
            program &mine = cpus_[cpu].stack.back().steps;
            if (r->list) {
                mine.erase(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(
                                                            2 * (r->origs.size() - i) - 1));
                give_back(cpu, r, i);
                return;
            }
            mine.erase(mine.begin());
            give_back(cpu, r, 0);
            mine.push_front([this, cpu, r, name, dir] {
                record(cpu, "dma_map_page: " + name + " dir=" + dir +
                                " dma_addr=ffffffffffffffff size=" + std::to_string(r->sizes[0]) +
                                " phys_addr=" + hexed(r->origs[0]) + " attrs=");
            });
        });
    }
    steps.push_back([this, cpu, r, name, dir, finish] {
        if (r->list) {
            std::string count = std::to_string(r->origs.size());
            std::string shown = std::to_string(std::min<std::size_t>(r->origs.size(), 128));
            record(cpu, "dma_map_sg: " + name + " dir=" + dir + " nents=" + shown + "/" + count +
                            " ents=" + shown + "/" + count +
                            (r->origs.size() > 128 ? " [TRUNCATED]" : "") +
                            " dma_addrs=" + array(r->tlbs, 128) + " sizes=" + array(r->sizes, 128) +
                            " phys_addrs=" + array(r->origs, 128) + " attrs=");
        } else {
            record(cpu, "dma_map_page: " + name + " dir=" + dir + " dma_addr=" + hexed(r->tlbs[0]) +
                            " size=" + std::to_string(r->sizes[0]) +
                            " phys_addr=" + hexed(r->origs[0]) + " attrs=");
        }
        finish();
    });
}

void machine::complete(unsigned cpu, const std::shared_ptr<request> &r) {
    program &steps = cpus_[cpu].stack.back().steps;
    const std::string name = devices_[r->device].device.name;
    const std::string dir = r->to_device ? "TO_DEVICE" : "FROM_DEVICE";
    for (std::size_t i = 0; i < r->origs.size(); i++)
        steps.push_back(
            [this, r, i] { bounce_swiotlb_unmap(mem_, &devices_[r->device].device, r->tlbs[i]); });
    steps.push_back([this, cpu, r, name, dir] {
        if (r->list)
            record(cpu, "dma_unmap_sg: " + name + " dir=" + dir +
                            " phys_addrs=" + array(r->origs, 128) + " attrs=");
        else
            record(cpu, "dma_unmap_page: " + name + " dir=" + dir + " dma_addr=" +
                            hexed(r->tlbs[0]) + " size=" + std::to_string(r->sizes[0]) + " attrs=");
        devices_[r->device].outstanding--;
    });
}

void machine::start_work(unsigned cpu) {
    unsigned device = static_cast<unsigned>(random_.below(devices_.size()));
    device_model &d = devices_[device];
    if (!d.retries.empty()) {
        if (!random_.chance(8))
            return;
        std::shared_ptr<request> r = d.retries.front();
        d.retries.pop_front();
        submit(cpu, r);
    } else if (d.outstanding < d.depth && random_.chance(60)) {
        d.outstanding++;
        submit(cpu, make(device));
    }
}

void machine::interrupt(unsigned cpu) {
    std::size_t depth = cpus_[cpu].stack.size();
    char level = cpus_[cpu].stack.back().level;
    if (depth == 3 || level == 'h')
        return;
    for (std::size_t i = 0; i < finishing_.size(); i++) {
        if (finishing_[i].first > now_ || finishing_[i].second->device % cpus_.size() == cpu + 100)
            continue;
        cpus_[cpu].stack.push_back({level == '.' && random_.chance(50) ? 's' : 'h', 0, {}});
        std::size_t batch = 1 + random_.below(6);
        for (; batch && i < finishing_.size(); batch--) {
            if (finishing_[i].first > now_)
                break;
            complete(cpu, finishing_[i].second);
            finishing_.erase(finishing_.begin() + static_cast<std::ptrdiff_t>(i));
        }
        if (random_.chance(20)) // e.g. a receive buffer is filled again
            for (unsigned d = 0; d < devices_.size(); d++)
                if (devices_[d].outstanding < devices_[d].depth && random_.chance(50)) {
                    devices_[d].outstanding++;
                    submit(cpu, make(d));
                }
        return;
    }
}

void machine::foreigner() {
    if (foreign_.size() > 6 || (!foreign_.empty() && random_.chance(45))) {
        bounce_swiotlb_unmap(mem_, &foreign_device_, foreign_.front());
        foreign_.erase(foreign_.begin());
        return;
    }
    bounce_map_request wanted = {};
    bounce_map_result result = {};
    wanted.device = &foreign_device_;
    wanted.orig_addr = 0x20000000;
    wanted.size = 4096;
    wanted.cpu = static_cast<std::uint32_t>(random_.below(cpus_.size()));
    bounce_swiotlb_map(mem_, &wanted, &result);
    if (result.outcome == BOUNCE_MAP_OK)
        foreign_.push_back(result.tlb_addr);
}

void machine::tick() {
    now_++;
    if (now_ >= worker_due_) {
        worker_due_ = UINT64_MAX;
        bounce_swiotlb_run_worker(mem_);
    }
    if (wanted_["foreign"] && records_ > wanted_["records"] / 3 &&
        records_ < wanted_["records"] / 2 && random_.below(100) < wanted_["foreign"])
        foreigner();
    unsigned cpu = static_cast<unsigned>(random_.below(cpus_.size()));
    cpu_state &c = cpus_[cpu];
    if (c.stalled_until > now_)
        return;
    if (random_.below(300) == 0) {
        c.stalled_until = now_ + random_.below(random_.chance(10) ? 2000 : 60);
        return;
    }
    // An interrupt comes between any two steps, rarely within one request.
    if (random_.chance(c.stack.back().steps.empty() ? 30 : 3))
        interrupt(cpu);
    program &steps = c.stack.back().steps;
    if (steps.empty()) {
        if (c.stack.size() > 1)
            c.stack.pop_back();
        else
            start_work(cpu);
        return;
    }
    std::function<void()> step = std::move(steps.front());
    steps.pop_front();
    step();
}

void machine::run() {
    if (wanted_["header"])
        std::printf("# tracer: nop\n#\n# entries-in-buffer/entries-written: 1/1   #P:%zu\n#\n",
                    cpus_.size());
    while (records_ < wanted_["records"] + skip_)
        tick();
    report();
}

void machine::report() const {
    const bounce_swiotlb_counts *counts = bounce_swiotlb_get_counts(mem_);
    std::string devices;
    for (const device_model &d : devices_)
        devices += (devices.empty() ? "\"" : ",\"") + hexed(d.device.min_align_mask) + "\"";
    std::fprintf(stderr,
                 "{\"nslabs\":%" PRIu64 ",\"nareas\":%u,\"cpus\":%zu,\"maps\":%" PRIu64
                 ",\"failed\":%" PRIu64 ",\"used_hiwater\":%" PRIu64 ",\"nslabs_end\":%" PRIu64
                 ",\"pools\":%" PRIu64 ",\"transients\":%" PRIu64 ",\"masks\":[%s]}\n",
                 nslabs_, nareas_, cpus_.size(), maps_, failed_, hiwater_, counts->nslabs,
                 counts->pools, counts->transient_maps, devices.c_str());
}

} // namespace

int main(int argc, char **argv) {
    settings wanted;
    if (argc < 2)
        return 2;
    for (int i = 2; i < argc; i++) {
        std::string text = argv[i];
        std::size_t at = text.find('=');
        if (at == std::string::npos || !wanted.values.count(text.substr(0, at))) {
            std::fprintf(stderr, "%s: KEY=VALUE was expected\n", argv[i]);
            return 2;
        }
        wanted.values[text.substr(0, at)] = std::strtoull(text.c_str() + at + 1, nullptr, 0);
    }
    machine(std::strtoull(argv[1], nullptr, 0), wanted).run();
    return 0;
}
