// SPDX-License-Identifier: Apache-2.0
// A hash table in one array: two 64-bit numbers to a small value. Open addressing, no tombstones;
// it grows with what it holds at most and never shrinks, so a steady state allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bouncesim::models {

template <class Value> class flat_map {
  public:
    struct key {
        uint64_t space; // which address space, device or domain
        uint64_t page;
        bool operator==(const key &other) const {
            return space == other.space && page == other.page;
        }
    };

    std::size_t size() const {
        return used_;
    }

    // Null when it is not there. Valid until the next insert or erase.
    Value *find(const key &wanted) {
        if (cells_.empty())
            return nullptr;
        for (std::size_t i = home(wanted); cells_[i].full; i = next(i))
            if (cells_[i].name == wanted)
                return &cells_[i].value;
        return nullptr;
    }
    const Value *find(const key &wanted) const {
        return const_cast<flat_map *>(this)->find(wanted);
    }

    // The value of that key, made anew when it is not there.
    Value &operator[](const key &wanted) {
        if (Value *there = find(wanted))
            return *there;
        if (used_ * 4 >= cells_.size() * 3)
            grow();
        return put(wanted, Value());
    }

    bool erase(const key &wanted) {
        if (cells_.empty())
            return false;
        std::size_t hole = home(wanted);
        while (cells_[hole].full && !(cells_[hole].name == wanted))
            hole = next(hole);
        if (!cells_[hole].full)
            return false;
        // What stands behind the hole and could not be found across it moves into it.
        for (std::size_t i = next(hole); cells_[i].full; i = next(i)) {
            std::size_t wants = home(cells_[i].name);
            if (((i - wants) & mask()) >= ((i - hole) & mask())) {
                cells_[hole].name = cells_[i].name;
                cells_[hole].value = std::move(cells_[i].value);
                hole = i;
            }
        }
        cells_[hole] = cell();
        used_--;
        return true;
    }

    void clear() {
        cells_.clear();
        used_ = 0;
    }

  private:
    struct cell {
        key name = {};
        Value value = Value();
        bool full = false;
    };

    std::size_t mask() const {
        return cells_.size() - 1;
    }
    std::size_t next(std::size_t i) const {
        return (i + 1) & mask();
    }
    std::size_t home(const key &name) const {
        uint64_t h = (name.page ^ (name.space * 0x9e3779b97f4a7c15u)) * 0xbf58476d1ce4e5b9u;
        return static_cast<std::size_t>(h ^ (h >> 31)) & mask();
    }
    Value &put(const key &name, Value &&value) {
        std::size_t i = home(name);
        while (cells_[i].full)
            i = next(i);
        cells_[i].name = name;
        cells_[i].value = std::move(value);
        cells_[i].full = true;
        used_++;
        return cells_[i].value;
    }
    void grow() {
        std::vector<cell> old(cells_.empty() ? 64 : 2 * cells_.size());
        old.swap(cells_);
        used_ = 0;
        for (cell &moved : old)
            if (moved.full)
                put(moved.name, std::move(moved.value));
    }

    std::vector<cell> cells_; // a power of two of them
    std::size_t used_ = 0;
};

} // namespace bouncesim::models
