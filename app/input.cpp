// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include "errors.hpp"

#include <boost/iostreams/chain.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>
#include <boost/iostreams/operations.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <unistd.h>

namespace bouncesim {
namespace io = boost::iostreams;
namespace {

// The bytes of a descriptor, with the first few looked at beforehand.
struct raw_source {
    int descriptor = -1;
    std::string ahead;
    std::size_t ahead_used = 0;
    std::uint64_t bytes = 0;

    std::size_t read(char *buffer, std::size_t capacity) {
        if (ahead_used < ahead.size()) {
            std::size_t n = std::min(capacity, ahead.size() - ahead_used);
            std::memcpy(buffer, ahead.data() + ahead_used, n);
            ahead_used += n;
            return n;
        }
        for (;;) {
            ssize_t n = ::read(descriptor, buffer, capacity);
            if (n >= 0) {
                bytes += static_cast<std::uint64_t>(n);
                return static_cast<std::size_t>(n);
            }
            if (errno != EINTR)
                throw std::runtime_error(std::strerror(errno));
        }
    }

    void look_ahead(std::size_t wanted) {
        char buffer[16];
        while (ahead.size() < wanted) {
            std::size_t n = read(buffer, wanted - ahead.size());
            if (n == 0)
                break;
            ahead.append(buffer, n);
            ahead_used = ahead.size();
        }
        ahead_used = 0;
    }
};

// The same for Boost.Iostreams, which copies its sources. `ended` tells a truncated stream (the
// decompressor wanted more) from one that merely stopped.
struct boost_source {
    using char_type = char;
    using category = io::source_tag;
    raw_source *raw;

    std::streamsize read(char *buffer, std::streamsize capacity) {
        std::size_t n = raw->read(buffer, static_cast<std::size_t>(capacity));
        return n ? static_cast<std::streamsize>(n) : -1;
    }
};

bool starts_with(const std::string &text, std::string_view magic) {
    return text.compare(0, magic.size(), magic) == 0;
}

} // namespace

struct trace_input::part {
    raw_source raw;
    const char *compression = nullptr;
    io::filtering_streambuf<io::input> unpack;
    std::uint64_t newlines = 0;

    explicit part(const std::string &path) {
        raw.descriptor = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (raw.descriptor < 0)
            throw refused_error(path + ": cannot open: " + std::strerror(errno));
        std::error_code ignored;
        if (path != "-" && std::filesystem::is_directory(path, ignored)) {
            ::close(raw.descriptor);
            throw refused_error(path + ": is a directory; name a trace file");
        }
        raw.look_ahead(6);
        if (starts_with(raw.ahead, "\x1f\x8b"))
            compression = "gzip";
        else if (starts_with(raw.ahead, "\xfd"
                                        "7zXZ"))
            compression = "xz";
        else if (starts_with(raw.ahead, "\x28\xb5\x2f\xfd"))
            compression = "zstd";
        if (!compression)
            return;
        if (compression[0] == 'g')
            unpack.push(io::gzip_decompressor());
        else if (compression[0] == 'x')
            unpack.push(io::lzma_decompressor());
        else
            unpack.push(io::zstd_decompressor());
        unpack.push(boost_source{&raw}, 1 << 16);
    }
    ~part() {
        if (raw.descriptor > STDIN_FILENO)
            ::close(raw.descriptor);
    }

    std::size_t read(char *buffer, std::size_t capacity) {
        if (!compression)
            return raw.read(buffer, capacity);
        return static_cast<std::size_t>(std::max<std::streamsize>(
            0, unpack.sgetn(buffer, static_cast<std::streamsize>(capacity))));
    }
};

trace_input::trace_input(std::vector<std::string> paths) : paths_(std::move(paths)) {
    part_ = std::make_unique<part>(paths_[0]);
}

trace_input::~trace_input() = default;

bounce_input trace_input::as_input() {
    return bounce_input{this, &trace_input::read};
}

std::size_t trace_input::read_some(char *buffer, std::size_t capacity) {
    while (current_ < paths_.size()) {
        std::size_t n = part_->read(buffer, capacity);
        if (n) {
            if (paths_.size() > 1)
                part_->newlines += static_cast<std::uint64_t>(std::count(buffer, buffer + n, '\n'));
            return n;
        }
        lines_.push_back(part_->newlines);
        finished_bytes_ += part_->raw.bytes;
        if (++current_ < paths_.size())
            part_ = std::make_unique<part>(paths_[current_]);
    }
    return 0;
}

bounce_status trace_input::read(void *context, void *buffer, std::size_t capacity, std::size_t *got,
                                bounce_error *error) {
    auto *self = static_cast<trace_input *>(context);
    try {
        *got = self->read_some(static_cast<char *>(buffer), capacity);
        return BOUNCE_OK;
    } catch (const refused_error &e) {
        return bounce_refuse(error, BOUNCE_IO, 0, "%s", e.what());
    } catch (const std::exception &e) {
        if (self->part_->compression)
            return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                                 "the %s data is broken or ends too early; a complete file was "
                                 "expected",
                                 self->part_->compression);
        return bounce_refuse(error, BOUNCE_IO, 0, "cannot read: %s", e.what());
    }
}

std::string trace_input::where(std::uint64_t line) const {
    std::size_t file = line ? 0 : std::min(current_, paths_.size() - 1);
    while (line && file < lines_.size() && file + 1 < paths_.size() && line > lines_[file])
        line -= lines_[file++];
    std::string name = paths_[file] == "-" ? "standard input" : paths_[file];
    return line ? name + ":" + std::to_string(line) + ": " : name + ": ";
}

bool trace_input::rewindable() const {
    return std::all_of(paths_.begin(), paths_.end(), [](const std::string &path) {
        std::error_code ignored;
        return path != "-" && std::filesystem::is_regular_file(path, ignored);
    });
}

std::uint64_t trace_input::bytes_read() const {
    return finished_bytes_ + (current_ < paths_.size() ? part_->raw.bytes : 0);
}

std::uint64_t trace_input::bytes_total() const {
    std::uint64_t total = 0;
    if (!rewindable())
        return 0;
    for (const std::string &path : paths_) {
        std::error_code error;
        total += std::filesystem::file_size(path, error);
    }
    return total;
}

} // namespace bouncesim
