// SPDX-License-Identifier: Apache-2.0
// Layout: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar's long
// names and sizes as its manual ("Basic Tar Format") describes them.
#include "tar.hpp"

#include "errors.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace bouncesim {
namespace {

constexpr std::size_t longest_extension = 1u << 20;
constexpr std::uint64_t largest_member = std::uint64_t{1} << 62;

enum field : std::size_t {
    name_at = 0,
    name_length = 100,
    size_at = 124,
    size_length = 12,
    sum_at = 148,
    sum_length = 8,
    type_at = 156,
    magic_at = 257,
    prefix_at = 345,
    prefix_length = 155,
};

std::string text_field(const char *header, std::size_t at, std::size_t length) {
    return std::string(header + at, strnlen(header + at, length));
}

// Octal digits, perhaps with blanks around them; false for anything else.
bool octal_field(const char *at, std::size_t length, std::uint64_t &value) {
    std::string_view text(at, length);
    std::size_t first = text.find_first_not_of(' ');
    text.remove_prefix(std::min(first, text.size()));
    text = text.substr(0, text.find_first_of(std::string_view(" \0", 2)));
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    return error == std::errc() && end == text.data() + text.size();
}

// Sizes from 8 GiB on are binary in GNU's format: the first bit is set.
std::uint64_t size_field(const char *header) {
    const char *at = header + size_at;
    std::uint64_t value = 0;
    if (static_cast<unsigned char>(*at) & 0x80u) {
        for (std::size_t i = 0; i < size_length; i++) {
            auto byte = static_cast<unsigned char>(at[i]);
            if (value >> 55)
                return largest_member + 1;
            value = value << 8 | (i ? byte : byte & 0x7fu);
        }
        return value;
    }
    if (!octal_field(at, size_length, value))
        throw refused_error("broken archive: a member's size is no octal number");
    return value;
}

bool sum_is_right(const char *header) {
    std::uint64_t wanted = 0, sum = 0;
    if (!octal_field(header + sum_at, sum_length, wanted))
        return false;
    for (std::size_t i = 0; i < tar_reader::block; i++)
        sum += i >= sum_at && i < sum_at + sum_length ? static_cast<unsigned char>(' ')
                                                      : static_cast<unsigned char>(header[i]);
    return sum == wanted;
}

} // namespace

bool tar_reader::is_header(const char *bytes, std::size_t length) {
    return length >= block && std::memcmp(bytes + magic_at, "ustar", 5) == 0 && sum_is_right(bytes);
}

// False at the end of the stream; a part of a block is a truncated archive.
bool tar_reader::read_block(char *buffer) {
    std::size_t got = 0;
    while (got < block) {
        std::size_t n = read_(buffer + got, block - got);
        if (n == 0 && got == 0)
            return false;
        if (n == 0)
            throw refused_error("the archive ends too early; a complete one was expected");
        got += n;
    }
    return true;
}

void tar_reader::skip(std::uint64_t bytes) {
    char buffer[1 << 14];
    while (bytes) {
        std::size_t n =
            read_(buffer, static_cast<std::size_t>(std::min<std::uint64_t>(bytes, sizeof(buffer))));
        if (n == 0)
            throw refused_error("the archive ends too early; a complete one was expected");
        bytes -= n;
    }
}

std::size_t tar_reader::read(char *buffer, std::size_t capacity) {
    if (!left_)
        return 0;
    std::size_t n =
        read_(buffer, static_cast<std::size_t>(std::min<std::uint64_t>(left_, capacity)));
    if (n == 0)
        throw refused_error("the archive ends too early; a complete one was expected");
    left_ -= n;
    return n;
}

std::string tar_reader::text(std::size_t most) {
    if (left_ > most)
        throw refused_error(name_ + " in it has more than " + std::to_string(most) + " bytes");
    std::string out(static_cast<std::size_t>(left_), '\0');
    for (std::size_t got = 0; got < out.size();)
        got += read(out.data() + got, out.size() - got);
    return out;
}

// The content of an extension header, for the member that follows it.
std::string tar_reader::extension(std::uint64_t size, const char *what) {
    if (size > longest_extension)
        throw refused_error(std::string("broken archive: ") + what + " of " + std::to_string(size) +
                            " bytes");
    left_ = size;
    std::string out = text(longest_extension);
    skip(padding_);
    padding_ = 0;
    return out;
}

// "LENGTH KEY=VALUE\n", the length counting itself.
void tar_reader::read_pax(const std::string &records) {
    for (std::size_t at = 0; at < records.size();) {
        std::size_t length = 0;
        const char *first = records.data() + at, *last = records.data() + records.size();
        auto [end, error] = std::from_chars(first, last, length);
        auto digits = static_cast<std::size_t>(end - first);
        if (error != std::errc() || length > records.size() - at || length < digits + 3 ||
            *end != ' ')
            throw refused_error("broken archive: a pax header that cannot be read");
        std::string record(end + 1, length - digits - 2);
        std::size_t equals = record.find('=');
        std::string key = record.substr(0, equals);
        std::string value = equals == std::string::npos ? "" : record.substr(equals + 1);
        if (key == "path")
            long_name_ = value;
        if (key == "size") {
            auto [rest, bad] =
                std::from_chars(value.data(), value.data() + value.size(), pax_size_);
            if (bad != std::errc() || rest != value.data() + value.size())
                throw refused_error("broken archive: a pax size that is no number");
            has_pax_size_ = true;
        }
        at += length;
    }
}

bool tar_reader::next() {
    char header[block];
    if (ended_)
        return false;
    for (;;) {
        skip(left_);
        skip(padding_);
        left_ = padding_ = 0;
        if (!read_block(header))
            throw refused_error("the archive ends too early; a complete one was expected");
        if (std::all_of(header, header + block, [](char c) { return c == 0; })) {
            ended_ = true;
            while (read_(header, block)) // what is behind tells whether the compression is whole
                continue;
            return false;
        }
        if (!is_header(header, block))
            throw refused_error("broken archive: no tar header where a member should begin");
        std::uint64_t size = has_pax_size_ ? pax_size_ : size_field(header);
        char type = header[type_at];
        if (size > largest_member)
            throw refused_error("broken archive: a member of " + std::to_string(size) + " bytes");
        if (type >= '1' && type <= '6')
            size = 0; // links, devices, folders: no content follows, whatever the size says
        padding_ = (block - size % block) % block;
        if (type == 'x') {
            read_pax(extension(size, "a pax header"));
            continue;
        }
        if (type == 'L') {
            long_name_ = extension(size, "a name");
            long_name_.resize(strnlen(long_name_.c_str(), long_name_.size()));
            continue;
        }
        std::string path = long_name_;
        if (path.empty()) {
            std::string prefix = text_field(header, prefix_at, prefix_length);
            path = text_field(header, name_at, name_length);
            if (std::memcmp(header + magic_at, "ustar\0", 6) == 0 && !prefix.empty())
                path = prefix + "/" + path;
        }
        long_name_.clear();
        has_pax_size_ = false;
        left_ = size;
        if (type == 'S')
            throw refused_error("a sparse member in the archive; pack it without --sparse");
        if (type != '0' && type != '\0' && type != '7')
            continue;
        name_ = path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
        return true;
    }
}

} // namespace bouncesim
