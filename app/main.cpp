// SPDX-License-Identifier: Apache-2.0
// Finds the subcommand, runs it, turns what it throws into one line and an exit status.
#include "commands.hpp"
#include "errors.hpp"
#include "output.hpp"

#include <cstdio>
#include <exception>
#include <iostream>
#include <new>

namespace bouncesim {
namespace {

void print_usage(std::ostream &out) {
    out << "bouncesim " BOUNCESIM_VERSION
           ": what Linux's DMA bounce-buffer pool (swiotlb) goes through, from a trace\n\n"
           "usage: bouncesim COMMAND [OPTION...]\n\n";
    for (const command &c : commands()) {
        std::string left = std::string("  ") + c.name + " " + c.usage;
        left.resize(std::max<std::size_t>(left.size() + 2, 34), ' ');
        out << left << c.summary << '\n';
    }
    out << "\n`bouncesim COMMAND --help` shows the options of one command.\n"
           "Exit status: 0 done; 1 could not do it; 2 usage or input refused; "
           "3 a regression, or --fail-on-full.\n";
}

int dispatch(const arguments &words) {
    if (words.empty()) {
        print_usage(std::cerr);
        return exit_refused;
    }
    if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
        print_usage(std::cout);
        return exit_done;
    }
    if (words[0] == "--version") {
        std::cout << "bouncesim " BOUNCESIM_VERSION "\n";
        return exit_done;
    }
    for (const command &c : commands())
        if (words[0] == c.name)
            return c.run(arguments(words.begin() + 1, words.end()));
    throw refused_error("no command '" + words[0] + "'; `bouncesim --help` lists them");
}

int guarded(const arguments &words) {
    try {
        int status = dispatch(words);
        flush_stdout();
        return status;
    } catch (const refused_error &e) {
        std::fprintf(stderr, "bouncesim: %s\n", e.what());
        return exit_refused;
    } catch (const std::bad_alloc &) {
        std::fprintf(stderr, "bouncesim: out of memory\n");
    } catch (const std::exception &e) {
        std::fprintf(stderr, "bouncesim: %s\n", e.what());
    }
    return exit_failed;
}

} // namespace
} // namespace bouncesim

// With SystemC linked in, its library owns main() and calls this.
#ifdef BOUNCESIM_SYSTEMC
extern "C" int sc_main(int argc, char *argv[]);

int sc_main(int argc, char *argv[]) {
#else
int main(int argc, char *argv[]) {
#endif
    std::ios::sync_with_stdio(false);
    return bouncesim::guarded(bouncesim::arguments(argv + 1, argv + argc));
}
