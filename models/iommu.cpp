// SPDX-License-Identifier: Apache-2.0
#include "iommu.hpp"

#include <algorithm>

namespace bouncesim::models {
namespace {

bool allows(uint8_t mapped, uint8_t wanted) {
    return mapped == BOUNCE_BIDIRECTIONAL || mapped == wanted;
}

} // namespace

iommu::iommu(const sc_core::sc_module_name &name, const iommu_config &config)
    : sc_module(name), devices("devices"), memory("memory"), config_(config),
      shift_(static_cast<unsigned>(__builtin_ctzll(config.granule))), table_(config.granule),
      tlb_(config.iotlb_entries, config.iotlb_ways,
           static_cast<iotlb_replacement>(config.iotlb_replacement)),
      huge_tlb_(std::max<uint64_t>(1, config.iotlb_2m_entries), 0,
                static_cast<iotlb_replacement>(config.iotlb_replacement)),
      walkers_(config.walkers) {
    devices.register_b_transport(this, &iommu::b_transport);
}

template <class Body> void iommu::each_run(uint64_t iova, uint64_t bytes, const Body &body) {
    const uint64_t huge = UINT64_C(1) << huge_shift;
    for (uint64_t at = iova, end = iova + bytes; at < end;) {
        uint64_t step = std::min(huge - at % huge, end - at);
        if (step < huge || !body(at, step, true))
            body(at, step, false);
        at += step;
    }
}

void iommu::map(uint32_t device, uint64_t iova, uint64_t phys, uint64_t bytes, uint8_t dir,
                uint64_t space) {
    const uint64_t huge = UINT64_C(1) << huge_shift;
    each_run(iova, bytes, [&](uint64_t at, uint64_t run, bool as_huge) {
        uint64_t to = phys + (at - iova);
        if (!as_huge)
            table_.map(device, page_name(at, false), run >> shift_, {to, space, dir});
        else if (to % huge == 0)
            table_.map_huge(device, page_name(at, true), {to, space, dir});
        else
            return false;
        return true;
    });
    stats_.pages_hiwater = std::max<uint64_t>(stats_.pages_hiwater, table_.size());
}

void iommu::unmap(uint32_t device, uint64_t iova, uint64_t bytes) {
    each_run(iova, bytes, [&](uint64_t at, uint64_t run, bool as_huge) {
        if (as_huge)
            return table_.unmap_huge(device, page_name(at, true));
        table_.unmap(device, page_name(at, false), run >> shift_);
        return true;
    });
}

void iommu::invalidate(uint32_t device, uint64_t iova, uint64_t bytes) {
    each_run(iova, bytes, [&](uint64_t at, uint64_t run, bool as_huge) {
        if (as_huge) {
            tlb_of_huge().drop(device, page_name(at, true));
            return false; // and granules that it has been before
        }
        uint64_t first = page_name(at, false), count = run >> shift_;
        for (uint64_t i = 0; i < count && tlb_.size(); i++)
            tlb_.drop(device, first + i);
        return true;
    });
}

void iommu::unmap_now(uint32_t device, uint64_t iova, uint64_t bytes) {
    unmap(device, iova, bytes);
    invalidate(device, iova, bytes);
}

void iommu::invalidate_all(uint32_t device) {
    tlb_.drop_domain(device);
    if (config_.iotlb_2m_entries)
        huge_tlb_.drop_domain(device);
}

const io_page *iommu::lookup(uint32_t device, uint64_t iova) const {
    const io_page *found = table_.find(device, page_name(iova, false));
    return found ? found : table_.find_huge(device, page_name(iova, true));
}

// When the walk that arrives then is over.
uint64_t iommu::walk(uint64_t arrival_ps, uint64_t walk_ps) {
    uint64_t end_ps = walkers_.walk(arrival_ps, walk_ps);
    stats_.walks++;
    stats_.walk_wait_ns += static_cast<double>(end_ps - walk_ps - arrival_ps) / 1000;
    return end_ps;
}

// `time_ps` goes on to when the translation is known.
const io_page *iommu::translate(uint32_t device, uint64_t iova, uint64_t &time_ps,
                                uint64_t &in_page, uint64_t &page_bytes) {
    uint64_t huge_name = page_name(iova, true), small_name = page_name(iova, false);
    iotlb::entry *held = tlb_.use(device, small_name);
    bool huge = false;
    stats_.translations++;
    if (!held && tlb_of_huge().size() && (table_.has_huge() || config_.lazy)) {
        held = tlb_of_huge().use(device, huge_name);
        huge = held;
    }
    if (held) {
        stats_.iotlb_hits++;
        // Of a page that was unmapped since, or mapped anew.
        const io_page *now =
            huge ? table_.find_huge(device, huge_name) : table_.find(device, small_name);
        stats_.stale += !now || now->entered != held->to.entered;
        // Its walk may not be over yet: who asks for the same page waits for it.
        time_ps = std::max(time_ps, held->ready_ps) + config_.iotlb_hit_ps;
    } else {
        const io_page *found = table_.find(device, small_name);
        if (!found) {
            found = table_.find_huge(device, huge_name);
            huge = found;
        }
        time_ps = walk(time_ps, huge ? config_.walk_2m_ps : config_.walk_ps);
        if (!found)
            return nullptr;
        iotlb &into = huge ? tlb_of_huge() : tlb_;
        held = &into.insert(device, huge ? huge_name : small_name);
        held->to = *found;
        held->ready_ps = time_ps;
    }
    page_bytes = huge ? UINT64_C(1) << huge_shift : config_.granule;
    in_page = iova & (page_bytes - 1);
    return &held->to;
}

// A part of the transfer that is contiguous in memory.
void iommu::forward(tlm::tlm_generic_payload &payload, uint64_t offset, uint64_t bytes,
                    uint64_t phys, uint64_t space, uint64_t time_ps, uint64_t &done_ps) {
    const dma_extension &from = *payload.get_extension<dma_extension>();
    tlm::tlm_generic_payload &part = to_memory_.payload;
    unsigned char *data = payload.get_data_ptr();
    bool moves = data && from.data_bytes > offset;

    to_memory_.extension.copy_from(from);
    to_memory_.extension.space = space;
    to_memory_.extension.data_bytes = moves ? std::min(from.data_bytes - offset, bytes) : 0;
    part.set_command(moves ? payload.get_command() : tlm::TLM_IGNORE_COMMAND);
    part.set_data_ptr(moves ? data + offset : nullptr);
    part.set_address(phys);
    part.set_data_length(static_cast<unsigned>(bytes));
    part.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps - now_ps());
    memory->b_transport(part, delay);
    done_ps = std::max<uint64_t>(done_ps, now_ps() + delay.value());
    payload.set_response_status(part.get_response_status());
    payload.get_extension<dma_extension>()->fault = to_memory_.extension.fault;
}

// All pages of a transfer are asked for when it arrives. What lies before a fault is served.
void iommu::b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
    dma_extension &ext = *payload.get_extension<dma_extension>();
    uint64_t address = payload.get_address(), bytes = payload.get_data_length();
    uint64_t arrival_ps = now_ps() + delay.value(), done_ps = arrival_ps;
    uint64_t run_begin = 0, run_phys = 0, run_space = 0, run_ps = arrival_ps;

    if (ext.device < bypass_.size() && bypass_[ext.device]) {
        memory->b_transport(payload, delay);
        return;
    }
    if (arrival_ps >= due_ps_)
        timer_->expire(arrival_ps);
    stats_.transfers++;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    dma_fault fault = dma_fault::no_fault;
    uint64_t at = 0;
    while (at < bytes) {
        uint64_t time_ps = arrival_ps, in_page = 0, page_bytes = 0;
        const io_page *page = translate(ext.device, address + at, time_ps, in_page, page_bytes);
        if (!page || !allows(page->dir, ext.dir)) {
            fault = page ? dma_fault::direction : dma_fault::unmapped;
            stats_.faults.add(
                {fault, ext.device, address + at, bytes - at, ext.dir == BOUNCE_FROM_DEVICE});
            done_ps = std::max(done_ps, time_ps);
            break;
        }
        uint64_t phys = page->phys + in_page;
        if (at > run_begin && (run_phys + (at - run_begin) != phys || run_space != page->space)) {
            forward(payload, run_begin, at - run_begin, run_phys, run_space, run_ps, done_ps);
            run_begin = at;
        }
        if (at == run_begin) {
            run_phys = phys;
            run_space = page->space;
            run_ps = arrival_ps;
        }
        run_ps = std::max(run_ps, time_ps);
        at += std::min(page_bytes - in_page, bytes - at);
    }
    if (at > run_begin)
        forward(payload, run_begin, at - run_begin, run_phys, run_space, run_ps, done_ps);
    if (fault != dma_fault::no_fault) {
        ext.fault = fault;
        payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
    delay = sc_core::sc_time::from_value(done_ps - now_ps());
}

} // namespace bouncesim::models
