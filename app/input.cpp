// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include "errors.hpp"
#include "line_cut.hpp"
#include "output.hpp"
#include "tar.hpp"
#include "zstd_frames.hpp"

#include <boost/iostreams/chain.hpp>
#include <boost/iostreams/filter/bzip2.hpp>
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
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/stat.h>
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
    bool waits = false; // a pipe or terminal: what comes may be long in coming

    // Ctrl-C ends the wait: at once, or after a moment when it came just before.
    void wait_for_input() const {
        struct pollfd wanted = {descriptor, POLLIN, 0};
        while (::poll(&wanted, 1, 200) <= 0)
            if (interrupted())
                throw std::runtime_error("interrupted");
    }

    std::size_t read(char *buffer, std::size_t capacity) {
        if (ahead_used < ahead.size()) {
            std::size_t n = std::min(capacity, ahead.size() - ahead_used);
            std::memcpy(buffer, ahead.data() + ahead_used, n);
            ahead_used += n;
            return n;
        }
        for (;;) {
            if (waits)
                wait_for_input();
            ssize_t n = ::read(descriptor, buffer, capacity);
            if (n >= 0) {
                bytes += static_cast<std::uint64_t>(n);
                return static_cast<std::size_t>(n);
            }
            if (errno != EINTR || interrupted())
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
    zstd_frames *frames; // NULL: another compression, which tells itself where it ends

    std::streamsize read(char *buffer, std::streamsize capacity) {
        std::size_t n = raw->read(buffer, static_cast<std::size_t>(capacity));
        if (frames)
            frames->add(buffer, n);
        return n ? static_cast<std::streamsize>(n) : -1;
    }
};

bool starts_with(const std::string &text, std::string_view magic) {
    return text.compare(0, magic.size(), magic) == 0;
}

// Its magic is letters: the size of blocks and the beginning of the first one follow.
bool is_bzip2(const std::string &text) {
    return starts_with(text, "BZh") && text.size() >= 6 && text[3] >= '1' && text[3] <= '9' &&
           (text.compare(4, 2, "1A") == 0 || text.compare(4, 2, "\x17r") == 0);
}

} // namespace

namespace {

constexpr const char *trace_member = "trace.txt";

// An unpacked archive is a folder: the trace in it. Other paths stay as they are.
std::string file_of(const std::string &path) {
    std::error_code ignored;
    std::string inside = path + "/" + trace_member;
    return path != "-" && std::filesystem::is_directory(path, ignored) &&
                   std::filesystem::is_regular_file(inside, ignored)
               ? inside
               : path;
}

int open_file(const std::string &path) {
    int descriptor = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        throw refused_error(path + ": cannot open: " + std::strerror(errno));
    std::error_code ignored;
    if (path != "-" && std::filesystem::is_directory(path, ignored)) {
        ::close(descriptor);
        throw refused_error(path + ": is a directory; name a trace file");
    }
    if (path != "-")
        note_input(path);
    return descriptor;
}

} // namespace

struct trace_input::part {
    raw_source raw;
    const char *compression = nullptr;
    zstd_frames frames;
    io::filtering_streambuf<io::input> unpack;
    std::uint64_t newlines = 0;
    bool is_text = true; // no byte of it is 0
    char last = '\n';    // that was read
    std::string head;    // the first bytes, decompressed
    std::size_t head_used = 0;
    bool prepared = false;
    std::optional<tar_reader> archive;
    bool in_trace = false;
    std::optional<recording> told;
    line_cut cut;
    std::string ready; // behind the cut
    std::size_t ready_used = 0;

    // Of a part among several: what was read of it.
    void look_at(const char *bytes, std::size_t n) {
        newlines += static_cast<std::uint64_t>(std::count(bytes, bytes + n, '\n'));
        is_text = is_text && !std::memchr(bytes, 0, n);
        last = bytes[n - 1];
    }
    // Its last line and the first of the next part would become one.
    bool lacks_newline() const {
        return is_text && last != '\n';
    }

    explicit part(const std::string &path) {
        std::string file = file_of(path);
        raw.descriptor = open_file(file);
        struct stat status = {};
        raw.waits = fstat(raw.descriptor, &status) == 0 && !S_ISREG(status.st_mode);
        try {
            raw.look_ahead(6);
        } catch (const std::runtime_error &e) {
            if (interrupted())
                throw;
            throw run_error(path + ": cannot read: " + e.what());
        }
        if (starts_with(raw.ahead, "\x1f\x8b"))
            compression = "gzip";
        else if (starts_with(raw.ahead, "\xfd"
                                        "7zXZ"))
            compression = "xz";
        else if (starts_with(raw.ahead, "\x28\xb5\x2f\xfd"))
            compression = "zstd";
        else if (is_bzip2(raw.ahead))
            compression = "bzip2";
        if (file != path)
            read_folder(path);
        if (!compression)
            return;
        if (compression[0] == 'g')
            unpack.push(io::gzip_decompressor());
        else if (compression[0] == 'x')
            unpack.push(io::lzma_decompressor());
        else if (compression[0] == 'b')
            unpack.push(io::bzip2_decompressor());
        else
            unpack.push(io::zstd_decompressor());
        unpack.push(boost_source{&raw, compression[0] == 'z' ? &frames : nullptr}, 1 << 16);
    }
    part(const part &) = delete;
    part &operator=(const part &) = delete;
    ~part() {
        if (raw.descriptor > STDIN_FILENO)
            ::close(raw.descriptor);
    }

    std::size_t read_stream(char *buffer, std::size_t capacity) {
        if (head_used < head.size()) {
            std::size_t n = std::min(capacity, head.size() - head_used);
            std::memcpy(buffer, head.data() + head_used, n);
            head_used += n;
            return n;
        }
        if (!compression)
            return raw.read(buffer, capacity);
        std::streamsize n = unpack.sgetn(buffer, static_cast<std::streamsize>(capacity));
        if (n <= 0 && !frames.whole())
            throw std::runtime_error("the input ends within a zstd frame");
        return static_cast<std::size_t>(std::max<std::streamsize>(0, n));
    }

    // The files beside the trace; what is missing is not told.
    void read_folder(const std::string &path) {
        told.emplace();
        for (const char *name : recording::files) {
            std::string file = path + "/" + name;
            std::error_code ignored;
            if (!std::filesystem::is_regular_file(file, ignored))
                continue;
            raw_source source;
            source.descriptor = open_file(file);
            std::string text(recording::largest_file + 1, '\0');
            std::size_t length = 0;
            while (std::size_t n = source.read(text.data() + length, text.size() - length))
                length += n;
            ::close(source.descriptor);
            if (length > recording::largest_file)
                throw refused_error(file + ": more than 4 MiB; a file of record-trace.sh was "
                                           "expected");
            text.resize(length);
            told->add(name, text);
        }
    }

    // Looks whether it is an archive, and goes to the trace in it.
    void prepare() {
        if (prepared)
            return;
        prepared = true;
        std::string first(tar_reader::block, '\0');
        std::size_t length = 0;
        while (length < first.size()) {
            std::size_t n = read_stream(first.data() + length, first.size() - length);
            if (n == 0)
                break;
            length += n;
        }
        first.resize(length);
        head = first;
        // A byte order mark, of any of several files.
        head_used =
            starts_with(head, "\xef\xbb\xbf") && head.find('\0') == std::string::npos ? 3 : 0;
        if (!tar_reader::is_header(head.data(), head.size()))
            return;
        told.emplace();
        archive.emplace(
            [this](char *buffer, std::size_t capacity) { return read_stream(buffer, capacity); });
        if (!next_trace())
            throw refused_error("no trace.txt in the archive; one of scripts/record-trace.sh was "
                                "expected (of others, unpack and name the trace)");
        in_trace = true;
    }

    // Reads what stands in front of the next trace; false when there is none.
    bool next_trace() {
        while (archive->next()) {
            if (archive->name() == trace_member)
                return true;
            if (std::find(recording::files.begin(), recording::files.end(), archive->name()) !=
                recording::files.end())
                told->add(archive->name(), archive->text(recording::largest_file));
        }
        return false;
    }

    std::size_t read_trace(char *buffer, std::size_t capacity) {
        if (!archive)
            return read_stream(buffer, capacity);
        if (!in_trace)
            return 0;
        std::size_t n = archive->read(buffer, capacity);
        if (n == 0) {
            in_trace = false;
            if (next_trace())
                throw refused_error("two files trace.txt in the archive; one was expected");
        }
        return n;
    }

    std::size_t read(char *buffer, std::size_t capacity) {
        prepare();
        while (cut.active() && ready_used == ready.size()) {
            std::size_t n = read_trace(buffer, capacity);
            ready.clear();
            ready_used = 0;
            cut.pass(buffer, n, ready);
            if (n == 0)
                break;
        }
        if (ready_used == ready.size())
            return read_trace(buffer, capacity);
        std::size_t n = std::min(capacity, ready.size() - ready_used);
        std::memcpy(buffer, ready.data() + ready_used, n);
        ready_used += n;
        return n;
    }
};

trace_input::trace_input(std::vector<std::string> paths) : paths_(std::move(paths)) {
    // Later ones are looked at now, but for pipes: whoever writes them would notice.
    for (std::size_t i = 1; i < paths_.size(); i++) {
        std::error_code ignored;
        std::filesystem::file_status status = std::filesystem::status(file_of(paths_[i]), ignored);
        if (paths_[i] != "-" &&
            (!exists(status) || is_regular_file(status) || is_directory(status)))
            ::close(open_file(file_of(paths_[i])));
    }
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
                part_->look_at(buffer, n);
            return n;
        }
        if (current_ + 1 < paths_.size() && part_->lacks_newline()) {
            *buffer = '\n';
            part_->look_at(buffer, 1);
            return 1;
        }
        lines_.push_back(part_->newlines);
        finished_bytes_ += part_->raw.bytes;
        if (++current_ < paths_.size())
            part_ = std::make_unique<part>(paths_[current_]);
    }
    return 0;
}

// What went wrong, from within a handler.
bounce_status trace_input::failed(bounce_error *error) {
    try {
        throw;
    } catch (const refused_error &e) {
        return bounce_refuse(error, BOUNCE_IO, 0, "%s", e.what());
    } catch (const std::bad_alloc &) {
        return bounce_refuse(error, BOUNCE_NO_MEMORY, 0, "no memory");
    } catch (const std::exception &e) {
        if (part_->compression)
            return bounce_refuse(error, BOUNCE_MALFORMED, 0,
                                 "the %s data is broken or ends too early; a complete file was "
                                 "expected",
                                 part_->compression);
        return bounce_refuse(error, BOUNCE_IO, 0, "cannot read: %s", e.what());
    }
}

bounce_status trace_input::read(void *context, void *buffer, std::size_t capacity, std::size_t *got,
                                bounce_error *error) {
    auto *self = static_cast<trace_input *>(context);
    try {
        *got = self->read_some(static_cast<char *>(buffer), capacity);
        return BOUNCE_OK;
    } catch (const std::exception &) {
        return self->failed(error);
    }
}

const recording *trace_input::recorded() {
    bounce_error error = {};
    if (current_ >= paths_.size())
        return part_->told ? &*part_->told : nullptr;
    try {
        part_->prepare();
    } catch (const std::exception &) {
        failed(&error);
        throw refused_error(where(0) + error.text);
    }
    return part_->told ? &*part_->told : nullptr;
}

const recording *trace_input::recorded_so_far() const {
    return part_->told ? &*part_->told : nullptr;
}

void trace_input::cut_before(std::uint64_t ns) {
    part_->cut.set(ns);
}

std::uint64_t trace_input::lines_cut() const {
    return part_->cut.lines();
}

std::string trace_input::where(std::uint64_t line) const {
    std::size_t file = line ? 0 : std::min(current_, paths_.size() - 1);
    while (line && file < lines_.size() && file + 1 < paths_.size() && line > lines_[file])
        line -= lines_[file++];
    std::string name = paths_[file] == "-" ? "standard input" : file_of(paths_[file]);
    if (line && file == std::min(current_, paths_.size() - 1) && part_->archive)
        name += std::string(":") + trace_member;
    return line ? name + ":" + std::to_string(line) + ": " : name + ": ";
}

bool trace_input::rewindable() const {
    return std::all_of(paths_.begin(), paths_.end(), [](const std::string &path) {
        std::error_code ignored;
        return path != "-" && std::filesystem::is_regular_file(file_of(path), ignored);
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
        total += std::filesystem::file_size(file_of(path), error);
    }
    return total;
}

} // namespace bouncesim
