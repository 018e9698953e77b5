// SPDX-License-Identifier: Apache-2.0
// The way from devices to memory, made of what a configuration asks for:
//
//   devices -> [dma_checker] -> [iommu] -> [encrypted_memory] -> memory
//
// and what the bounce service does for it around each event. Without any of them the devices are
// bound to memory itself and the service has no path.
#pragma once

#include "data_check.hpp"
#include "dma_checker.hpp"
#include "encrypted_memory.hpp"
#include "iommu.hpp"
#include "iommu_dma.hpp"
#include "mapping_check.hpp"
#include "memory.hpp"
#include "models/path_config.hpp"
#include "operation.hpp"

#include "bounce/replay.h"

#include <systemc>
#include <tlm>

#include <cstdint>
#include <memory>
#include <vector>

namespace bouncesim::models {

class dma_path {
  public:
    using target = tlm::tlm_base_target_socket_b<>;

    // To be made inside the module that holds the others. engine_config_error. `timing` is made
    // what a confidential guest's copies and accesses cost; `pool` what the core has to see: whom
    // it forces to bounce is said for each event here.
    dma_path(const path_config &config, bounce_replay_config &pool, costs &timing);
    // Everything here is bound in front of `below`.
    void bind(memory &below);

    // Whether there is anything.
    bool any() const {
        return config_.check_data || config_.iommu || config_.encryption;
    }
    // What devices are to be bound to.
    target &entry() {
        return *entry_;
    }
    data_check *data() {
        return data_.get();
    }
    encrypted_memory *encryption() {
        return encryption_.get();
    }
    path_stats stats() const;

    // ---- for the bounce service, in this order around the core's call ----

    // The devices as the core has to see them: the IOMMU reaches everything.
    const bounce_device *set_devices(const bounce_device *devices, std::size_t count);
    // `event` is the operation's own, to be changed into what the core has to see. An unmap is
    // taken out of the IOMMU here; `time_ps` goes on by what that takes.
    void before(const operation &op, bounce_event &event, const bounce_mapping &was,
                uint64_t &time_ps);
    void copied(const operation &op, const bounce_mapping &mapping, const bounce_copy &copy,
                uint64_t tlb_addr, bool to_device);
    void after(const operation &op, const bounce_mapping &now);
    // A new mapping, bounced or direct: the address for its device and what the device names in its
    // transfers. False when the IOMMU has no address left; then it has to be unmapped again.
    bool open(const operation &op, const bounce_mapping &now, uint64_t &time_ps);
    uint64_t dma_addr(uint32_t handle, const bounce_mapping &now) const;
    uint64_t token(uint32_t handle) const {
        return handle < open_.size() ? open_[handle].token : 0;
    }

  private:
    // A mapping that devices may use.
    struct opened {
        uint64_t iova = 0; // 0: none
        uint64_t size = 0;
        uint64_t token = 0;
        uint32_t device = 0;
    };

    iommu_use use_of(uint32_t device) const {
        return device < uses_.size() ? uses_[device] : iommu_use::direct;
    }
    opened &at(uint32_t handle);
    void close(uint32_t handle, uint32_t cpu, uint64_t &time_ps);
    uint64_t zero_padding(const bounce_mapping &now);

    path_config config_;
    const costs &timing_;
    bool force_; // devices that are not behind the IOMMU
    bool allocator_calls_;
    sparse_memory bytes_;
    std::unique_ptr<data_check> data_;
    std::unique_ptr<mapping_check> events_;
    std::unique_ptr<dma_checker> checker_;
    std::unique_ptr<iommu> iommu_;
    std::unique_ptr<iommu_dma> mapper_;
    std::unique_ptr<encrypted_memory> encryption_;
    target *entry_ = nullptr;
    const bounce_device *devices_ = nullptr;
    std::vector<bounce_device> seen_; // by the core
    std::vector<iommu_use> uses_;     // by device
    std::vector<opened> open_;        // by handle
};

} // namespace bouncesim::models
