// SPDX-License-Identifier: Apache-2.0
// The IOMMU between devices and memory: translates each page of a transfer through IOTLB and page
// walks, and serves nothing that is not mapped. Every device has a domain of its own.
#pragma once

#include "dma_extension.hpp"
#include "io_page_table.hpp"
#include "iotlb.hpp"
#include "models/iommu_config.hpp"
#include "page_walkers.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <vector>

namespace bouncesim::models {

// Who has to act once a time has come, before any later transfer is translated.
class iommu_timer {
  public:
    virtual void expire(uint64_t time_ps) = 0;

  protected:
    ~iommu_timer() = default;
};

class iommu : public sc_core::sc_module {
  public:
    tlm_utils::multi_passthrough_target_socket<iommu> devices;
    tlm_utils::simple_initiator_socket<iommu> memory;

    // `config` has to be one that check() finds right, and to outlive this.
    iommu(const sc_core::sc_module_name &name, const iommu_config &config);

    // ---- what the DMA layer does; it takes no time here, see iommu_dma ----

    // Whole granules, all three aligned to it. Pages of 2 MiB where address and size allow it.
    void map(uint32_t device, uint64_t iova, uint64_t phys, uint64_t bytes, uint8_t dir,
             uint64_t space = 0);
    // Out of the page table; the IOTLB keeps what it has until it is told.
    void unmap(uint32_t device, uint64_t iova, uint64_t bytes);
    void invalidate(uint32_t device, uint64_t iova, uint64_t bytes);
    // Both of them at once.
    void unmap_now(uint32_t device, uint64_t iova, uint64_t bytes);
    void invalidate_all(uint32_t device);

    // A device that is not behind the IOMMU: its transfers go on as they are.
    void set_bypass(uint32_t device) {
        if (device >= bypass_.size())
            bypass_.resize(device + 1);
        bypass_[device] = true;
    }

    // One timer; due UINT64_MAX: none.
    void set_timer(iommu_timer *timer, uint64_t due_ps) {
        timer_ = timer;
        due_ps_ = due_ps;
    }

    // transfers to walk_wait_ns, stale and the faults.
    const iommu_stats &stats() const {
        return stats_;
    }
    // The page's translation as a walk would find it; null when there is none.
    const io_page *lookup(uint32_t device, uint64_t iova) const;

  private:
    static constexpr unsigned huge_shift = 21;

    void b_transport(int initiator, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);
    const io_page *translate(uint32_t device, uint64_t iova, uint64_t &time_ps, uint64_t &in_page,
                             uint64_t &page_bytes);
    uint64_t walk(uint64_t arrival_ps, uint64_t walk_ps);
    void forward(tlm::tlm_generic_payload &payload, uint64_t offset, uint64_t bytes, uint64_t phys,
                 uint64_t space, uint64_t time_ps, uint64_t &done_ps);
    // [iova, iova + bytes) in order: body(at, bytes, huge) for what could be one page of 2 MiB, and
    // for each run of granules before, between and behind such. False of the former: it is
    // granules.
    template <class Body> static void each_run(uint64_t iova, uint64_t bytes, const Body &body);
    iotlb &tlb_of_huge() {
        return config_.iotlb_2m_entries ? huge_tlb_ : tlb_;
    }
    // Small and huge pages of equal number are different pages.
    uint64_t page_name(uint64_t iova, bool huge) const {
        return huge ? UINT64_C(1) << 63 | iova >> huge_shift : iova >> shift_;
    }

    const iommu_config &config_;
    unsigned shift_;
    io_page_table table_; // small pages by page_name(), huge ones by theirs
    iotlb tlb_;
    iotlb huge_tlb_;
    page_walkers walkers_;
    std::vector<bool> bypass_; // by device
    iommu_timer *timer_ = nullptr;
    uint64_t due_ps_ = UINT64_MAX;
    dma_transaction to_memory_;
    iommu_stats stats_;
};

} // namespace bouncesim::models
