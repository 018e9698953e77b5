// SPDX-License-Identifier: Apache-2.0
// A kernel tree's own allocator behind struct bounce_swiotlb.
#pragma once

#include "bounce/backend.h"

#include <string>

namespace bouncesim {

// A plug-in file and how it is to be used; behind bounce_backend_factory.context.
struct kernel_tree_plugin {
    std::string name; // for messages, such as "tree:/usr/src/linux"
    std::string file; // the shared object
    bool dynamic = false;
    bool natural_alloc = true;
};

// The factory's `create`: every back-end is a fresh copy of the plug-in. BOUNCE_INVALID when it
// cannot be loaded or makes no such pool, BOUNCE_NO_MEMORY.
bounce_status create_kernel_tree(void *context, const bounce_swiotlb_config *config,
                                 bounce_swiotlb_counts *counts, const bounce_backend **backend,
                                 void **state, bounce_error *error);

// Throws run_error when any tree's code ran into a BUG_ON, or could not be asked what was to be
// asked, since the program began: results mean nothing then.
void check_kernel_trees();

} // namespace bouncesim
