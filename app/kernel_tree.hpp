// SPDX-License-Identifier: Apache-2.0
// --kernel tree:PATH: a user's own kernel tree as one more kernel.
#pragma once

#include "bounce/kernels.h"

#include <string>
#include <vector>

namespace bouncesim {

// The syntax, for messages and `bouncesim list`.
extern const char kernel_tree_syntax[];

// A row of the kernel table, or one made from tree:PATH[:dynamic][:own-alloc], which builds PATH's
// swiotlb.c when it is not in the cache; the row lives until the program ends. PATH is a kernel
// tree, a tarball of one, or a plug-in that build-plugin made. Throws refused_error, beginning with
// `option`, for a name that is not known and for what could not be built.
const bounce_kernel *find_kernel(const std::string &name, const char *option);

// Whether the row's pools grow: bounce_kernel_grows(), or a tree with SWIOTLB_DYNAMIC.
bool pools_grow(const bounce_kernel *kernel);

// Splits a list of names at its commas. A comma before an option of a tree, as in
// tree:PATH,dynamic, does not separate.
std::vector<std::string> split_kernels(const std::string &list);

} // namespace bouncesim
