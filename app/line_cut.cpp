// SPDX-License-Identifier: Apache-2.0
#include "line_cut.hpp"

#include <cctype>
#include <charconv>
#include <string_view>

namespace bouncesim {
namespace {

bool is_digit(char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// " SECONDS.MICROSECONDS: " of an ftrace line; false when there is none.
bool time_of(std::string_view line, std::uint64_t &ns) {
    for (std::size_t dot = line.find('.'); dot != std::string_view::npos;
         dot = line.find('.', dot + 1)) {
        std::size_t first = dot;
        while (first && is_digit(line[first - 1]))
            first--;
        std::uint64_t seconds = 0, fraction = 0;
        const char *at = line.data();
        if (first == dot || !first || line[first - 1] != ' ' || dot + 8 > line.size() ||
            line[dot + 7] != ':' ||
            std::from_chars(at + first, at + dot, seconds).ec != std::errc() ||
            std::from_chars(at + dot + 1, at + dot + 7, fraction).ptr != at + dot + 7 ||
            seconds > UINT64_MAX / 2000000000u)
            continue;
        ns = seconds * 1000000000u + fraction * 1000u;
        return true;
    }
    return false;
}

} // namespace

void line_cut::pass(const char *bytes, std::size_t length, std::string &out) {
    if (done_ || length == 0) {
        out += held_;
        held_.clear();
        done_ = true;
        out.append(bytes, length);
        return;
    }
    held_.append(bytes, length);
    std::size_t at = 0;
    for (std::size_t end; !done_ && (end = held_.find('\n', at)) != std::string::npos;
         at = end + 1) {
        std::string_view line(held_.data() + at, end - at);
        std::uint64_t ns = 0;
        if (line.empty() || line[0] == '#' || !time_of(line, ns)) {
            out.append(held_, at, end + 1 - at);
        } else if (ns / 1000 < from_ns_ / 1000) { // the text has microseconds
            out += "#\n";
            lines_++;
        } else {
            done_ = true;
            break;
        }
    }
    held_.erase(0, at);
    if (held_.size() > longest_line)
        done_ = true; // no line of a kernel's: the reader says what is wrong with it
    if (done_) {
        out += held_;
        held_.clear();
    }
}

} // namespace bouncesim
