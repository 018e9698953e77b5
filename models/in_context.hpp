// SPDX-License-Identifier: Apache-2.0
// Every engine has a SystemC kernel of its own, so that one process can run several.
#pragma once

#include <systemc>

namespace bouncesim::models {

// Makes a simulation context the current one, for a scope.
class in_context {
  public:
    explicit in_context(sc_core::sc_simcontext *context)
        : current_(sc_core::sc_curr_simcontext), global_(sc_core::sc_default_global_context) {
        sc_core::sc_curr_simcontext = context;
        sc_core::sc_default_global_context = context;
    }
    in_context(const in_context &) = delete;
    in_context &operator=(const in_context &) = delete;
    ~in_context() {
        sc_core::sc_curr_simcontext = current_;
        sc_core::sc_default_global_context = global_;
    }

  private:
    sc_core::sc_simcontext *current_;
    sc_core::sc_simcontext *global_;
};

} // namespace bouncesim::models
