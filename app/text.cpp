// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"

#include <cstdio>

namespace bouncesim {

std::string with_commas(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

std::string counted(std::uint64_t count, std::string what) {
    for (std::size_t at = 0; (at = what.find("(s)")) != std::string::npos;)
        what.replace(at, 3, count == 1 ? "" : "s");
    return with_commas(count) + " " + what;
}

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string fixed(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof(text), "%.*f", digits, value);
    return text;
}

// One digit behind the point, none where it would be 0.
static std::string short_number(double value) {
    std::string text = fixed(value, value < 100 ? 1 : 0);
    if (text.size() > 2 && text.compare(text.size() - 2, 2, ".0") == 0)
        text.resize(text.size() - 2);
    return text;
}

std::string bytes_text(std::uint64_t bytes) {
    if (bytes == 1)
        return "1 byte";
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes);
    int unit = 0;
    while (value >= 1024 && unit < 6) {
        value /= 1024;
        unit++;
    }
    return short_number(value) + " " + units[unit];
}

std::string time_text(std::uint64_t ns) {
    double value = static_cast<double>(ns);
    if (value >= 1e9)
        return short_number(value / 1e9) + " s";
    if (value >= 1e6)
        return short_number(value / 1e6) + " ms";
    if (value >= 1e3)
        return short_number(value / 1e3) + " us";
    return short_number(value) + " ns";
}

std::string percent(double part, double whole) {
    return whole > 0 ? short_number(100 * part / whole) + " %" : "-";
}

} // namespace bouncesim
