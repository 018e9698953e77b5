// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace bouncesim {

std::string with_commas(std::uint64_t value); // 29,776
// "1 record", "2,000 records" of "record(s)"; words without "(s)" stay as they are.
std::string counted(std::uint64_t count, std::string what);
std::string hex(std::uint64_t value);           // 7af80000
std::string bytes_text(std::uint64_t bytes);    // "4 MiB", "18.2 MiB", "512 KiB"
std::string time_text(std::uint64_t ns);        // "25.3 s", "1.2 ms"
std::string percent(double part, double whole); // "12.8 %", "-" of nothing
std::string fixed(double value, int digits);

} // namespace bouncesim
