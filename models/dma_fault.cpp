// SPDX-License-Identifier: Apache-2.0
#include "models/dma_fault.hpp"

namespace bouncesim::models {

const char *dma_fault_name(dma_fault kind) {
    switch (kind) {
#define BOUNCESIM_FAULT(name, meaning)                                                             \
    case dma_fault::name:                                                                          \
        return #name;
        BOUNCESIM_DMA_FAULTS(BOUNCESIM_FAULT)
#undef BOUNCESIM_FAULT
    }
    return "";
}

} // namespace bouncesim::models
