// SPDX-License-Identifier: Apache-2.0
// In place of what reads TOML, in builds without its library.
#include "errors.hpp"
#include "gen_spec.hpp"
#ifdef BOUNCESIM_SYSTEMC
#include "platform.hpp"
#endif

namespace bouncesim {
namespace {

[[noreturn]] void refuse() {
    throw refused_error("this build has no TOML; install libtomlplusplus-dev and build again");
}

} // namespace

void read_gen_spec(const std::string &, gen_spec &) {
    refuse();
}

#ifdef BOUNCESIM_SYSTEMC
platform read_platform_file(const std::string &) {
    refuse();
}

std::string platform_text(const platform &) {
    refuse();
}
#endif

} // namespace bouncesim
