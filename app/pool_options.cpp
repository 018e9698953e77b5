// SPDX-License-Identifier: Apache-2.0
#include "pool_options.hpp"

#include "errors.hpp"
#include "options.hpp"
#include "text.hpp"

#include <charconv>
#include <sstream>

namespace bouncesim {
namespace {

namespace po = boost::program_options;

bool parse_percent(const std::string &text, std::uint32_t &value) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= 100;
}

throttle_marks parse_throttle(const std::string &text) {
    throttle_marks marks;
    std::istringstream rest(text);
    std::string high, low;
    std::getline(rest, high, ',');
    std::getline(rest, low, ',');
    if (!parse_percent(high, marks.high) || !parse_percent(low, marks.low) ||
        marks.low > marks.high)
        throw refused_error("--throttle " + text +
                            ": HIGH,LOW[,DEVICE...] was expected, percent of the pool from 1 to "
                            "100, LOW not above HIGH; proposed was 70,65");
    for (std::string name; std::getline(rest, name, ',');) {
        if (name.empty())
            throw refused_error("--throttle " + text + ": a device without a name");
        marks.devices.push_back(name);
    }
    return marks;
}

std::uint32_t power_of_two(const char *name, std::uint64_t value, std::uint32_t least,
                           std::uint32_t most) {
    if (value < least || value > most || (value & (value - 1)))
        throw refused_error("--" + std::string(name) + " " + std::to_string(value) +
                            ": a power of two from " + std::to_string(least) + " to " +
                            std::to_string(most) + " was expected");
    return static_cast<std::uint32_t>(value);
}

} // namespace

void add_pool_options(po::options_description &table) {
    auto add = table.add_options();
    add("slot-size", po::value<std::string>()->value_name("BYTES"),
        "bytes of a slot in place of 2048 (512 to 64K); the pool keeps its memory");
    add("segment-slots", po::value<std::uint32_t>()->value_name("N"),
        "slots of a slot set in place of 128 (32 to 4096): no mapping is larger");
    add("per-device", po::value<std::string>()->value_name("SLOTS"),
        "a pool of that many slots of 2 KiB (or with K, M, G) for each device");
    add("throttle", po::value<std::string>()->value_name("HIGH,LOW[,DEVICE...]"),
        "maps of these devices (of all, if none is named) wait while more than HIGH % of the pool "
        "is in use, and on down to LOW %");
}

pool_options read_pool_options(const po::variables_map &values) {
    pool_options options;
    if (values.count("slot-size"))
        options.slot_size = power_of_two(
            "slot-size", parse_size(values["slot-size"].as<std::string>(), "slot-size"),
            BOUNCE_MIN_SLOT_SIZE, BOUNCE_MAX_SLOT_SIZE);
    if (values.count("segment-slots"))
        options.segment_slots =
            power_of_two("segment-slots", values["segment-slots"].as<std::uint32_t>(),
                         BOUNCE_MIN_SEGMENT_SLOTS, BOUNCE_MAX_SEGMENT_SLOTS);
    if (values.count("per-device")) {
        std::string text = values["per-device"].as<std::string>();
        bounce_boot boot = {};
        bounce_error error = {};
        if (bounce_boot_parse(text.c_str(), &boot, &error) || boot.nareas || boot.force ||
            boot.noforce || !boot.nslabs || text.find(',') != std::string::npos)
            throw refused_error("--per-device " + text +
                                ": a number of slots, or a size such as 8M, was expected");
        options.device_slots = boot.nslabs;
    }
    if (values.count("throttle"))
        options.throttle = parse_throttle(values["throttle"].as<std::string>());
    if (options.throttle && options.device_slots)
        throw refused_error("--throttle with --per-device: one pool is modelled");
    return options;
}

void apply_pool_options(const pool_options &options, bounce_swiotlb_config &pool) {
    std::uint64_t stock = std::uint64_t{1} << BOUNCE_SLOT_SHIFT;
    pool.slot_size = options.slot_size;
    pool.segment_slots = options.segment_slots;
    std::uint64_t slot = bounce_config_slot_size(&pool);
    auto convert = [&](std::uint64_t slots) { return (slots * stock + slot - 1) / slot; };
    pool.nslabs = convert(pool.nslabs);
    pool.start -= pool.start % slot;
    pool.nareas = bounce_kernel_nareas(pool.kernel, pool.nareas);
    while (pool.nareas > 1 &&
           pool.nslabs % (std::uint64_t{pool.nareas} * bounce_config_segment_slots(&pool)))
        pool.nareas /= 2;
    pool.device_nslabs = convert(options.device_slots);
}

throttle_config::throttle_config(const pool_options &options)
    : asked_(options.throttle.has_value()) {
    if (!asked_)
        return;
    for (const std::string &name : options.throttle->devices)
        names_.push_back(name.c_str());
    config_ = {options.throttle->high, options.throttle->low, names_.data(), names_.size()};
}

void check_device_name(const char *option, const std::string &name,
                       const std::vector<bounce_device> &seen) {
    std::string names;
    for (const bounce_device &device : seen) {
        if (name == device.name)
            return;
        names += (names.empty() ? "" : ", ") + std::string(device.name);
    }
    throw refused_error(std::string(option) + ": no device " + name + " in the trace; there are " +
                        names);
}

void check_throttled_devices(const bounce_replay_config &used,
                             const std::vector<bounce_device> &seen) {
    for (std::size_t i = 0; used.throttle && i < used.throttle->ndevices; i++)
        check_device_name("--throttle", used.throttle->devices[i], seen);
}

void add_pool_json(boost::json::object &config, const bounce_replay_config &used) {
    config["slot_size"] = bounce_config_slot_size(&used.pool);
    config["segment_slots"] = bounce_config_segment_slots(&used.pool);
    if (used.pool.device_nslabs)
        config["device_nslabs"] = used.pool.device_nslabs;
    if (!used.throttle)
        return;
    boost::json::array devices;
    for (std::size_t i = 0; i < used.throttle->ndevices; i++)
        devices.emplace_back(used.throttle->devices[i]);
    config["throttle"] = boost::json::object{{"high_percent", used.throttle->high_percent},
                                             {"low_percent", used.throttle->low_percent},
                                             {"devices", devices}};
}

std::string pool_text(const bounce_replay_config &used) {
    std::uint32_t slot = bounce_config_slot_size(&used.pool);
    std::uint32_t set = bounce_config_segment_slots(&used.pool);
    std::string text;
    if (slot != 1u << BOUNCE_SLOT_SHIFT || set != BOUNCE_SEGMENT_SLOTS)
        text += ", slots of " + bytes_text(slot) + " in sets of " + std::to_string(set);
    if (used.throttle)
        text += ", throttled from " + std::to_string(used.throttle->high_percent) + " % to " +
                std::to_string(used.throttle->low_percent) + " %";
    return text;
}

} // namespace bouncesim
