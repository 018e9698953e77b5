// SPDX-License-Identifier: Apache-2.0
#include "pool_size.hpp"

#include "text.hpp"

#include <cstring>

namespace bouncesim {
namespace {

const char *rule_name(bounce_boot_rule rule) {
    switch (rule) {
    case BOUNCE_RULE_OPTION:
        return "option";
    case BOUNCE_RULE_GUEST:
        return "confidential-x86";
    case BOUNCE_RULE_ARM64:
        return "arm64";
    case BOUNCE_RULE_DEFAULT:
        break;
    }
    return "default";
}

std::string slots_text(std::uint64_t nslabs) {
    return with_commas(nslabs) + " slots";
}

// What was asked for, before the kernel rounds it.
std::string origin(const bounce_boot &boot, const bounce_machine &machine, bounce_boot_rule rule,
                   bool recorded, bool told) {
    switch (rule) {
    case BOUNCE_RULE_OPTION:
        return slots_text(boot.nslabs) + (recorded ? " as recorded"
                                          : told   ? " as told"
                                                   : " as the trace's header has it");
    case BOUNCE_RULE_GUEST:
        return "6 % of " + bytes_text(machine.memory) +
               " of memory, 64 MiB to 1 GiB, as in x86 guests with encrypted memory";
    case BOUNCE_RULE_ARM64:
        return "1 MiB for each of " + bytes_text(machine.memory) +
               " of memory, at most 64 MiB, as on arm64 without a DMA limit";
    case BOUNCE_RULE_DEFAULT:
        break;
    }
    return "the default of 64 MiB";
}

} // namespace

pool_size decide_pool_size(const simulation_options &options, const bounce_recorded_config &header,
                           const bounce_inference &recorded) {
    pool_size size;
    bounce_machine machine = options.machine;
    bounce_boot boot = options.boot        ? *options.boot
                       : header.has_header ? header.boot
                                           : bounce_boot{};
    bool told = options.boot && options.boot->nslabs;
    size.nslabs = recorded.nslabs;
    size.nareas = recorded.nareas;
    machine.cpus = recorded.cpus;
    if (!options.boot && !machine.memory && !machine.low_memory &&
        !(options.cpus && header.has_header))
        return size;
    std::string note;
    if (machine.arch == BOUNCE_ARCH_ARM64 && std::strcmp(options.kernel->name, "linux-6.1") == 0) {
        machine.arch = BOUNCE_ARCH_X86; // 6.7 brought the rule
        note = " (kernels before 6.7 have no rule for arm64)";
    }
    // The recorded size stands where nothing says another.
    bool as_recorded = !machine.memory && !boot.nslabs;
    if (as_recorded)
        boot.nslabs = recorded.nslabs;
    bounce_boot_rule rule = bounce_boot_rule_of(&boot, &machine);
    std::uint64_t wanted = 0;
    std::uint32_t areas = 0;
    bounce_machine roomy = machine;
    roomy.low_memory = 0;
    bounce_boot_pool(&boot, &roomy, &wanted, &areas);
    bounce_boot_pool(&boot, &machine, &size.nslabs, &size.nareas);
    if (options.boot && options.boot->noforce)
        size.nslabs = 0;
    if (as_recorded && wanted == recorded.nslabs && size.nslabs == wanted)
        return size;
    size.rule = as_recorded ? "recorded" : rule_name(rule);
    size.text = origin(boot, machine, rule, as_recorded, told) + note;
    if (options.boot && options.boot->noforce)
        size.text = "none, by noforce";
    else if (rule == BOUNCE_RULE_OPTION && wanted != boot.nslabs)
        size.text += ", rounded up to " + slots_text(wanted) +
                     " (a power of two, and 128 for each of " + std::to_string(areas) + " area" +
                     (areas == 1 ? "" : "s") + ")";
    else if (rule != BOUNCE_RULE_OPTION)
        size.text += ": " + slots_text(wanted);
    if (size.nslabs && size.nslabs != wanted)
        size.text +=
            "; halved to " + slots_text(size.nslabs) + ", the most that --low-memory holds";
    else if (!size.nslabs && machine.low_memory && !(options.boot && options.boot->noforce))
        size.text += "; not even 1 MiB of it fits --low-memory, so there is none";
    if (told && rule != BOUNCE_RULE_OPTION && rule != BOUNCE_RULE_DEFAULT)
        size.text += "; the option comes to 32,768 slots, which looks as if nothing was asked for";
    return size;
}

} // namespace bouncesim
