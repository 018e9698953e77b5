// SPDX-License-Identifier: Apache-2.0
#include "kernel_tree_memory.hpp"

#include <new>

namespace bouncesim {
namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t largest_block = page_bytes << PAGES_MAX_ORDER;

} // namespace

kernel_tree_memory::kernel_tree_memory(const bounce_swiotlb_config &config) {
    std::uint64_t end = config.start + (config.nslabs << BOUNCE_SLOT_SHIFT);
    std::uint64_t first = (end + largest_block - 1) & ~(largest_block - 1);
    pages_init(&pages_, config.pages_start ? config.pages_start : first,
               config.lost_orders < PAGES_MAX_ORDER ? PAGES_MAX_ORDER - config.lost_orders : 0,
               config.reuse_pages);
    if (config.encrypted && atomic_pool_init(&atomic_, &pages_, config.memory))
        throw std::bad_alloc();
    callbacks_.context = this;
    callbacks_.encrypted = config.encrypted;
    callbacks_.take_block = [](void *context, std::uint32_t order) {
        auto *self = static_cast<kernel_tree_memory *>(context);
        self->before_ = self->pages_.next;
        return pages_alloc(&self->pages_, page_bytes << order, UINT64_MAX);
    };
    callbacks_.give_block = [](void *context, std::uint64_t address, std::uint32_t order,
                               bool unused) {
        auto *self = static_cast<kernel_tree_memory *>(context);
        bool was_next = self->pages_.next != self->before_; // not one that had been freed
        if (unused && was_next)
            self->pages_.next = self->before_;
        else
            pages_free(&self->pages_, address, page_bytes << order);
    };
    callbacks_.alloc_atomic = [](void *context, std::uint64_t bytes, std::uint64_t limit) {
        return atomic_pool_alloc(&static_cast<kernel_tree_memory *>(context)->atomic_, bytes,
                                 limit);
    };
    callbacks_.free_atomic = [](void *context, std::uint64_t address, std::uint64_t bytes) {
        auto *self = static_cast<kernel_tree_memory *>(context);
        std::uint64_t available = self->atomic_.available;
        atomic_pool_free(&self->atomic_, address, bytes);
        return self->atomic_.available != available;
    };
}

kernel_tree_memory::~kernel_tree_memory() {
    atomic_pool_destroy(&atomic_);
    pages_free_all(&pages_);
}

std::uint64_t kernel_tree_memory::run_worker() {
    return atomic_pool_run_worker(&atomic_, &pages_);
}

void kernel_tree_memory::restart() {
    atomic_.worker_queued = false;
}

} // namespace bouncesim
