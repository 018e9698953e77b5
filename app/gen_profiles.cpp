// SPDX-License-Identifier: Apache-2.0
// Mixes behind `profile = NAME` of a device: typical shapes to start from, not measurements of any
// one machine. `share` is the share of the device's rate.
#include "gen_spec.hpp"

namespace bouncesim {
namespace {

const struct {
    const char *name;
    const char *text;
} profiles[] = {
    {"nvme", R"(
min_align_mask = "fff"
queue_depth = 64
rate = 20000
[[stream]]
direction = "from_device"
share = 70
size = { values = [[4096, 60], [8192, 10], [16384, 12], [65536, 10], [131072, 8]] }
lifetime_us = { median = 90, p99 = 600 }
[[stream]]
direction = "to_device"
share = 30
size = { values = [[4096, 50], [16384, 20], [65536, 10], [131072, 20]] }
lifetime_us = { median = 40, p99 = 900 }
)"},
    {"scsi", R"(
queue_depth = 32
rate = 3000
[[stream]]
direction = "from_device"
share = 65
size = { values = [[4096, 30], [8192, 25], [32768, 15], [65536, 20], [131072, 10]] }
segments = { values = [[1, 50], [2, 20], [4, 15], [8, 10], [16, 5]] }
lifetime_us = { median = 300, p99 = 9000 }
[[stream]]
direction = "to_device"
share = 30
size = { values = [[4096, 45], [16384, 25], [65536, 30]] }
segments = { values = [[1, 60], [2, 20], [4, 15], [8, 5]] }
lifetime_us = { median = 500, p99 = 20000 }
[[stream]]
direction = "from_device"
share = 5
size = { values = [[96, 60], [255, 30], [512, 10]] }
lifetime_us = { median = 100, p99 = 2000 }
)"},
    {"virtio-net", R"(
rate = 20000
[[stream]]
direction = "from_device"
share = 80
ring = 256
size = 1536
sync = true
[[stream]]
direction = "to_device"
share = 20
size = { values = [[66, 60], [1514, 25], [4096, 10], [16384, 5]] }
offset = { uniform = [0, 3968], step = 64 }
lifetime_us = { median = 30, p99 = 400 }
)"},
    {"nic", R"(
rate = 100000
[[stream]]
direction = "from_device"
share = 60
ring = 1024
recycle = 75
size = 2048
[[stream]]
direction = "to_device"
share = 40
size = { values = [[66, 40], [1514, 50], [4096, 10]] }
segments = { values = [[1, 70], [2, 20], [4, 10]] }
offset = { uniform = [0, 3968], step = 64 }
lifetime_us = { median = 20, p99 = 250 }
burst = { on_ms = 2, off_ms = 6 }
)"},
    {"usb", R"(
rate = 800
queue_depth = 8
[[stream]]
direction = "from_device"
share = 50
size = { values = [[13, 40], [36, 10], [4096, 20], [65536, 20], [122880, 10]] }
lifetime_us = { median = 250, p99 = 4000 }
[[stream]]
direction = "to_device"
share = 50
size = { values = [[31, 60], [4096, 10], [65536, 20], [122880, 10]] }
lifetime_us = { median = 200, p99 = 3000 }
)"},
};

} // namespace

const char *gen_profile(const std::string &name) {
    for (const auto &profile : profiles)
        if (name == profile.name)
            return profile.text;
    return nullptr;
}

std::string gen_profile_names() {
    std::string names;
    for (const auto &profile : profiles)
        names += (names.empty() ? "" : ", ") + std::string(profile.name);
    return names;
}

} // namespace bouncesim
