// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
namespace bouncesim {
int cmd_sweep(const arguments &) {
    return 0;
}
} // namespace bouncesim
