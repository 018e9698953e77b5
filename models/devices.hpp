// SPDX-License-Identifier: Apache-2.0
// The devices of the table: one file in models/devices and one row in devices.cpp each.
#pragma once

#include "models/device_model.hpp"

namespace bouncesim::models {

device_model device_generic();
device_model device_nvme();
device_model device_virtio_blk();
device_model device_ahci();
device_model device_isa_dma();
device_model device_usb_storage();
device_model device_e1000();
device_model device_virtio_net();

} // namespace bouncesim::models
