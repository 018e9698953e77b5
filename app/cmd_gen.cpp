// SPDX-License-Identifier: Apache-2.0
// bouncesim gen: a trace made from a description.
#include "commands.hpp"
#include "errors.hpp"
#include "gen_output.hpp"
#include "gen_spec.hpp"
#include "options.hpp"
#include "output.hpp"
#include "text.hpp"

#include <iostream>
#include <memory>
#include <new>
#include <vector>

namespace bouncesim {
namespace {

constexpr std::size_t batch_events = 4096;

struct totals {
    std::uint64_t events = 0, begun = 0, last_ns = 0;
};

totals generate(const gen_spec &spec, gen_output &output) {
    bounce_error error = {};
    bounce_gen *made = nullptr;
    auto check = [&](bounce_status status) {
        if (status == BOUNCE_NO_MEMORY)
            throw std::bad_alloc();
        if (status == BOUNCE_INVALID)
            throw refused_error(error.text);
    };
    check(bounce_gen_create(&spec.config, &made, &error));
    std::unique_ptr<bounce_gen, void (*)(bounce_gen *)> gen(made, bounce_gen_destroy);
    std::vector<bounce_event> batch(batch_events);
    totals sum;
    for (;;) {
        std::size_t got = 0;
        if (interrupted())
            throw run_error("interrupted");
        check(bounce_gen_next(gen.get(), batch.data(), batch.size(), &got, &error));
        if (!got)
            break;
        output.write(batch.data(), got);
        for (std::size_t i = 0; i < got; i++)
            sum.begun += batch[i].kind == BOUNCE_EVENT_MAP || batch[i].kind == BOUNCE_EVENT_ISSUE;
        sum.events += got;
        sum.last_ns = batch[got - 1].time_ns;
    }
    return sum;
}

} // namespace

int cmd_gen(const arguments &args) {
    const char *usage = "gen SPEC.toml [OPTION...]";
    po::options_description own("Options", 96, 60);
    auto add = own.add_options();
    add("output,o", po::value<std::string>()->value_name("FILE")->default_value("-"),
        "where the trace goes; - is standard output");
    std::string formats = "one of " + gen_format_names() +
                          "; without it the suffix of FILE says which, and it is csv for "
                          "standard output";
    add("format", po::value<std::string>()->value_name("NAME"), formats.c_str());
    add("seed", po::value<std::uint64_t>()->value_name("N"),
        "another trace of the same kind (default: the spec's, or 0)");
    add("quiet,q", "do not say what was written");
    add("help,h", "show this");
    po::variables_map values;
    if (!parse_options(args, usage, own, "spec", 1, values))
        return exit_done;
    if (!values.count("spec"))
        throw refused_error("no spec given; name a TOML file, such as those in workloads/specs");
    std::string path = values["spec"].as<std::vector<std::string>>()[0];
    std::string target = values["output"].as<std::string>();
    std::string format =
        values.count("format") ? values["format"].as<std::string>() : std::string();

    gen_spec spec;
    read_gen_spec(path, spec);
    if (values.count("seed"))
        spec.config.seed = values["seed"].as<std::uint64_t>();
    watch_interrupts();
    std::unique_ptr<gen_output> output = open_gen_output(format, target, path, spec);
    totals sum = generate(spec, *output);
    if (!sum.begun)
        throw refused_error(path + ": nothing begins within the duration; a longer duration or a "
                                   "higher rate was expected");
    output->finish(sum.last_ns);
    if (!values.count("quiet") && target != "-")
        std::cout << target << ": " << output->name() << ", " << with_commas(sum.begun)
                  << (spec.config.requests ? " requests, " : " maps, ") << with_commas(sum.events)
                  << " events, " << time_text(sum.last_ns) << '\n';
    return exit_done;
}

} // namespace bouncesim
