// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include "errors.hpp"
#include "kernel_tree.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <sstream>
#include <typeinfo>

namespace bouncesim {
namespace {

std::uint64_t parse_hex(std::string_view text, const std::string &what) {
    std::uint64_t value = 0;
    if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X")
        text.remove_prefix(2);
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        throw refused_error(what + ": a hexadecimal number of at most 64 bits was expected");
    return value;
}

std::uint64_t parse_mask(std::string_view text, const std::string &what) {
    std::uint64_t mask = parse_hex(text, what);
    if (mask & (mask + 1))
        throw refused_error(what + ": a mask of the form 2^n - 1 was expected, for instance fff");
    return mask;
}

device_setting parse_device(const std::string &text) {
    device_setting setting;
    std::string what = "--device " + text;
    std::size_t colon = text.rfind(':');
    std::size_t equals = text.find('=');
    if (equals != std::string::npos)
        colon = text.rfind(':', equals);
    if (colon == std::string::npos || colon == 0 || equals == std::string::npos)
        throw refused_error(what + ": NAME:KEY=HEX[,KEY=HEX...] was expected, keys dma_mask, "
                                   "seg_boundary, min_align_mask");
    setting.name = text.substr(0, colon);
    std::istringstream rest(text.substr(colon + 1));
    for (std::string item; std::getline(rest, item, ',');) {
        std::size_t at = item.find('=');
        std::string key = item.substr(0, at);
        std::uint64_t mask = parse_mask(at == std::string::npos ? "" : item.substr(at + 1), what);
        if (key == "dma_mask") {
            setting.dma_mask = mask;
        } else if (key == "seg_boundary") {
            if (mask < (1u << BOUNCE_SLOT_SHIFT) - 1)
                throw refused_error(what + ": seg_boundary must be at least 7ff, one slot");
            setting.seg_boundary = mask;
        } else if (key == "min_align_mask") {
            if (mask > UINT32_MAX)
                throw refused_error(what + ": min_align_mask has 32 bits");
            setting.min_align_mask = static_cast<std::uint32_t>(mask);
        } else {
            throw refused_error(what + ": no key '" + key +
                                "'; keys are dma_mask, seg_boundary, min_align_mask");
        }
    }
    return setting;
}

template <typename T>
T one_of(const po::variables_map &values, const char *option,
         const std::vector<std::pair<const char *, T>> &choices) {
    std::string given = values[option].as<std::string>(), names;
    for (const auto &[name, value] : choices) {
        if (given == name)
            return value;
        names += (names.empty() ? "" : ", ") + std::string(name);
    }
    throw refused_error("--" + std::string(option) + " " + given + ": one of " + names +
                        " was expected");
}

void read_machine(const po::variables_map &values, simulation_options &options) {
    bounce_machine &machine = options.machine;
    auto size = [&](const char *name) {
        return values.count(name) ? parse_size(values[name].as<std::string>(), name) : 0;
    };
    machine.memory = size("memory");
    machine.low_memory = size("low-memory");
    machine.guest = one_of<bounce_guest>(values, "coco",
                                         {{"none", BOUNCE_GUEST_NONE},
                                          {"sev-snp", BOUNCE_GUEST_SEV_SNP},
                                          {"tdx", BOUNCE_GUEST_TDX}});
    machine.arch = one_of<bounce_arch>(values, "arch",
                                       {{"x86", BOUNCE_ARCH_X86}, {"arm64", BOUNCE_ARCH_ARM64}});
    bool by_rule = machine.guest != BOUNCE_GUEST_NONE || machine.arch == BOUNCE_ARCH_ARM64;
    if (by_rule && !machine.memory)
        throw refused_error("--coco and --arch arm64 need --memory SIZE: the pool follows from it");
    if (machine.memory && !by_rule)
        throw refused_error("--memory has no effect without --coco or --arch arm64");
    if (machine.guest != BOUNCE_GUEST_NONE && machine.arch == BOUNCE_ARCH_ARM64)
        throw refused_error("--coco: guests with encrypted memory are modelled on x86 only");
    if (values.count("worker-delay")) {
        std::uint64_t us = values["worker-delay"].as<std::uint64_t>();
        if (us > 1000000000u)
            throw refused_error("--worker-delay: at most 1000000000 (1000 s) was expected");
        options.worker_delay_ns = us * 1000;
    }
    if (values.count("fragmentation")) {
        double share = values["fragmentation"].as<double>();
        if (!(share >= 0 && share <= 1))
            throw refused_error("--fragmentation: a number from 0 to 1 was expected");
        options.lost_orders = static_cast<std::uint32_t>(std::lround(share * 10));
    }
}

} // namespace

std::string growth_option(const po::variables_map &values) {
    for (const char *name : {"worker-delay", "fragmentation"})
        if (values.count(name))
            return name;
    return {};
}

void refuse_growth_option(const std::string &name, const std::string &kernel) {
    if (!name.empty())
        throw refused_error("--" + name + ": the pool does not grow with " + kernel +
                            "; --kernel linux-6.12-dynamic was expected");
}

std::uint64_t parse_size(const std::string &text, const char *option) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string unit(end, static_cast<const char *>(text.data() + text.size()));
    std::size_t power = unit.size() == 1
                            ? std::string("KMGT").find(static_cast<char>(std::toupper(unit[0])))
                            : std::string::npos;
    unsigned shift = unit.empty() ? 0 : 10 * static_cast<unsigned>(power + 1);
    if (error != std::errc() || (!unit.empty() && power == std::string::npos) || value == 0 ||
        value > (std::uint64_t{1} << 52) >> shift)
        throw refused_error("--" + std::string(option) + " " + text +
                            ": a size such as 512M or 16G was expected, at most 4096T");
    return value << shift;
}

std::uint64_t parse_time(const std::string &text, const char *option) {
    static const std::pair<const char *, double> units[] = {
        {"", 1}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string unit(end, text.data() + text.size());
    for (const auto &[name, ns] : units)
        if (error == std::errc() && unit == name && value >= 0 && value * ns < 9e18)
            return static_cast<std::uint64_t>(std::llround(value * ns));
    throw refused_error("--" + std::string(option) + " " + text +
                        ": a time from the start of the trace such as 1.5s, 200ms or 1000 "
                        "(nanoseconds) was expected");
}

namespace {

// An empty name is a shell variable that was not set: never what was meant.
void refuse_empty(const po::options_description &known, const po::variables_map &values) {
    for (const auto &[name, value] : values) {
        const auto *one = boost::any_cast<std::string>(&value.value());
        const auto *many = boost::any_cast<std::vector<std::string>>(&value.value());
        bool takes_value = known.find(name, false).semantic()->max_tokens() > 0;
        if (takes_value && !value.defaulted() &&
            ((one && one->empty()) ||
             (many && std::find(many->begin(), many->end(), "") != many->end())))
            throw refused_error((many ? name : "--" + name) + ": is empty; a value was expected");
    }
}

// An unsigned number would take -1 as the largest there is.
void refuse_negative(const po::options_description &known, const po::parsed_options &parsed) {
    for (const po::option &option : parsed.options) {
        if (option.position_key >= 0 || option.value.empty() || option.value[0][0] != '-')
            continue;
        const po::option_description &told = known.find(option.string_key, false);
        const auto *typed = dynamic_cast<const po::typed_value_base *>(told.semantic().get());
        if (typed && (typed->value_type() == typeid(std::uint32_t) ||
                      typed->value_type() == typeid(std::uint64_t)))
            throw refused_error("--" + told.long_name() + " " + option.value[0] +
                                ": a whole number, 0 or more, was expected");
    }
}

} // namespace

bool parse_options(const arguments &args, const char *usage, const po::options_description &visible,
                   const char *positional, int max_positional, po::variables_map &values) {
    po::options_description all;
    po::positional_options_description places;
    all.add(visible).add_options()(positional, po::value<std::vector<std::string>>());
    places.add(positional, max_positional);
    try {
        po::parsed_options parsed =
            po::command_line_parser(args)
                .options(all)
                .positional(places)
                .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                .run();
        refuse_negative(all, parsed);
        po::store(parsed, values);
        po::notify(values);
        refuse_empty(all, values);
    } catch (const po::error &e) {
        throw refused_error(std::string(e.what()) + "; `bouncesim " +
                            std::string(usage).substr(0, std::string(usage).find(' ')) +
                            " --help` shows the options");
    }
    if (!values.count("help"))
        return true;
    std::cout << "usage: bouncesim " << usage << "\n\n" << visible;
    return false;
}

void check_named_devices(const std::vector<device_setting> &settings,
                         const std::vector<bounce_device> &seen) {
    for (const device_setting &setting : settings)
        if (setting.name != "*")
            check_device_name("--device", setting.name, seen);
}

po::options_description simulation_option_table() {
    po::options_description table("Simulation", 96, 60);
    auto add = table.add_options();
    add("kernel", po::value<std::string>()->default_value("linux-6.12"),
        "whose allocator answers (`bouncesim list kernels`); tree:PATH for a kernel tree of yours");
    add("swiotlb", po::value<std::string>()->value_name("SLOTS[,AREAS][,force|noforce]"),
        "the pool, as the boot option says it; sizes such as 64M are taken too");
    add("cpus", po::value<std::uint32_t>()->value_name("N"),
        "possible CPUs of the machine; areas follow from them");
    add("memory", po::value<std::string>()->value_name("SIZE"),
        "memory of the machine: sizes the pool of a confidential guest or of arm64");
    add("coco", po::value<std::string>()->value_name("none|sev-snp|tdx")->default_value("none"),
        "confidential guest: every buffer bounces, pools are shared memory");
    add("arch", po::value<std::string>()->value_name("x86|arm64")->default_value("x86"),
        "whose rule sizes the pool when --swiotlb does not");
    add("low-memory", po::value<std::string>()->value_name("SIZE"),
        "largest free range below 4 GiB: a larger pool is halved until it fits");
    add("worker-delay", po::value<std::uint64_t>()->value_name("US"),
        "growing kernels: microseconds until the queued worker has added a pool (default 100)");
    add("fragmentation", po::value<double>()->value_name("0..1"),
        "growing kernels: share of the page orders, from the largest down, that fail");
    add("pool-start", po::value<std::string>()->value_name("HEX"), "physical address of the pool");
    add_pool_options(table);
    add("device", po::value<std::vector<std::string>>()->value_name("NAME:KEY=HEX[,...]"),
        "dma_mask, seg_boundary, min_align_mask of a device (NAME * for all)");
    add("format", po::value<std::string>()->default_value("auto"),
        "format of the traces (`bouncesim list formats`)");
    add("only", po::value<std::string>()->value_name("mappings|block")->default_value("any"),
        "of kernel events: dma and swiotlb events, or block requests (any: mappings if there are "
        "any)");
    add("order",
        po::value<std::string>()
            ->value_name("reconstructed|recorded")
            ->default_value("reconstructed"),
        "of maps and frees: found from the recorded addresses, or as the text has it");
    add("counters", po::value<std::string>()->value_name("FILE"),
        "the kernel's own counts, lines such as 'STAT begin io_tlb_used 256': what was in use "
        "before, what to compare with (an archive of record-trace.sh has them)");
    add("service-time", po::value<std::uint64_t>()->value_name("US"),
        "traces of requests: microseconds from issue to completion, in place of the recorded "
        "ones (default 100 where the trace has none)");
    add("held-slots", po::value<std::uint64_t>()->value_name("N"),
        "traces of requests: slots that other devices hold from the beginning (default: those that "
        "the recording counted at both its ends)");
    add("skip-malformed", "count lines that cannot be read instead of refusing the trace");
    add("quiet,q", "print neither summary nor progress");
    add("help,h", "show this");
    return table;
}

simulation_options read_simulation_options(const po::variables_map &values) {
    simulation_options options;
    bounce_error error = {};
    if (!values.count("trace"))
        throw refused_error("no trace given; name a file, or - for standard input");
    options.traces = values["trace"].as<std::vector<std::string>>();
    if (options.traces.size() > 1 &&
        std::count(options.traces.begin(), options.traces.end(), "-") > 0)
        throw refused_error("-: standard input cannot be mixed with files");
    options.kernel = find_kernel(values["kernel"].as<std::string>(), "--kernel");
    options.kernel_told = !values["kernel"].defaulted();
    if (values.count("counters"))
        options.counters = values["counters"].as<std::string>();
    if (values.count("swiotlb")) {
        bounce_boot boot = {};
        if (bounce_boot_parse(values["swiotlb"].as<std::string>().c_str(), &boot, &error))
            throw refused_error(std::string("--swiotlb: ") + error.text);
        options.boot = boot;
    }
    if (values.count("cpus")) {
        options.cpus = values["cpus"].as<std::uint32_t>();
        if (options.cpus < 1 || options.cpus > BOUNCE_MAX_CPUS)
            throw refused_error("--cpus " + std::to_string(options.cpus) + ": 1 to " +
                                std::to_string(BOUNCE_MAX_CPUS) + " was expected");
    }
    read_machine(values, options);
    if (!values.count("kernels")) // whoever reads those looks
        options.growth_option = growth_option(values);
    if (values.count("pool-start")) {
        options.start = parse_hex(values["pool-start"].as<std::string>(), "--pool-start");
        if (options.start == 0 || options.start % 4096 || options.start > INT64_MAX)
            throw refused_error("--pool-start: a page-aligned address below 2^63 was expected");
    }
    options.pool = read_pool_options(values);
    if (values.count("device"))
        for (const std::string &text : values["device"].as<std::vector<std::string>>())
            options.devices.push_back(parse_device(text));
    std::string format = values["format"].as<std::string>();
    if (format != "auto") {
        options.trace.format = bounce_format_find(format.c_str());
        if (!options.trace.format)
            throw refused_error("--format " + format +
                                ": not known; `bouncesim list formats` shows what is read");
    }
    options.trace.only = one_of<std::uint8_t>(values, "only",
                                              {{"any", BOUNCE_ONLY_ANY},
                                               {"mappings", BOUNCE_ONLY_MAPPINGS},
                                               {"block", BOUNCE_ONLY_BLOCK}});
    options.recorded_order =
        one_of<bool>(values, "order", {{"reconstructed", false}, {"recorded", true}});
    if (values.count("service-time")) {
        std::uint64_t us = values["service-time"].as<std::uint64_t>();
        if (us > 1000000000u)
            throw refused_error("--service-time: at most 1000000000 (1000 s) was expected");
        options.service_ns = us * 1000;
    }
    if (values.count("held-slots")) {
        std::uint64_t slots = values["held-slots"].as<std::uint64_t>();
        if (slots > most_held_slots)
            throw refused_error("--held-slots: at most " + std::to_string(most_held_slots) +
                                " was expected");
        options.held_slots = static_cast<std::uint32_t>(slots);
    }
    options.trace.skip_malformed = values.count("skip-malformed") > 0;
    options.quiet = values.count("quiet") > 0;
    return options;
}

po::options_description trace_option_table() {
    static const char *const names[] = {"device",         "format", "only", "service-time",
                                        "skip-malformed", "quiet",  "help"};
    po::options_description table("Options", 96, 60), simulation = simulation_option_table();
    for (const auto &option : simulation.options())
        for (const char *name : names)
            if (option->long_name() == name)
                table.add(option);
    return table;
}

simulation_options read_trace_options(po::variables_map &values) {
    // What is not asked has its default.
    po::options_description simulation = simulation_option_table();
    po::store(po::command_line_parser(arguments{}).options(simulation).run(), values);
    simulation_options options = read_simulation_options(values);
    options.recorded_order = true;
    return options;
}

std::vector<std::uint64_t> parse_list(const std::string &text, const char *option, bool as_slots,
                                      std::uint64_t most) {
    auto refuse = [&](const std::string &item) -> refused_error {
        return refused_error(std::string(option) + " " + text + ": '" + item +
                             "' is not a number from 1 to " + std::to_string(most) +
                             "; write 512,1024 or 512..32768 (powers of two)");
    };
    auto number = [&](std::string item) {
        std::string whole = item;
        unsigned shift = 0;
        if (as_slots && !item.empty()) {
            std::size_t unit =
                std::string("KMG").find(static_cast<char>(std::toupper(item.back())));
            if (unit != std::string::npos) {
                shift = 10 * static_cast<unsigned>(unit + 1);
                item.pop_back();
            }
        }
        std::uint64_t value = 0;
        auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), value);
        if (error != std::errc() || end != item.data() + item.size() ||
            value > (most << 11) >> shift)
            throw refuse(whole);
        if (shift)
            value = (value << shift) >> BOUNCE_SLOT_SHIFT;
        if (value == 0 || value > most)
            throw refuse(whole);
        return value;
    };
    std::vector<std::uint64_t> list;
    std::istringstream rest(text);
    for (std::string item; std::getline(rest, item, ',');) {
        std::size_t dots = item.find("..");
        if (dots == std::string::npos) {
            list.push_back(number(item));
            continue;
        }
        std::uint64_t low = number(item.substr(0, dots)), high = number(item.substr(dots + 2));
        if (low > high)
            throw refuse(item);
        for (std::uint64_t value = low; value <= high; value *= 2)
            list.push_back(value);
    }
    if (list.empty())
        throw refuse("");
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
}

} // namespace bouncesim
