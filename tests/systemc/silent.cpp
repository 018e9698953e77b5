// SPDX-License-Identifier: Apache-2.0
// Runs an engine and prints nothing; neither must SystemC.
#include "models/mapping_engine.hpp"

#include "bounce/kernels.h"

extern "C" int sc_main(int, char **) {
    bouncesim::models::engine_config config;
    config.replay.pool.kernel = bounce_kernel_find("linux-6.12");
    config.replay.pool.nareas = 1;
    bouncesim::models::mapping_engine engine(config);
    engine.run([] { return bouncesim::models::event_batch(); });
    return 0;
}
