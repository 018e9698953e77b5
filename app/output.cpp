// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include "errors.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace bouncesim {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

// Names that are being written: two outputs under one name would be one, and half of it lost.
std::set<std::string> &open_names() {
    static std::set<std::string> names;
    return names;
}

// What is read, by device and inode: one file may have several names.
using file_identity = std::pair<dev_t, ino_t>;

std::set<file_identity> &inputs() {
    static std::set<file_identity> files;
    return files;
}

void refuse_input(const std::string &path) {
    struct stat status = {};
    if (lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        inputs().count({status.st_dev, status.st_ino}))
        throw refused_error(path + ": is an input; give the output a name of its own");
}

// A link to an open file, as /dev/stdout ends in one.
bool is_open_file(const std::filesystem::path &path) {
    return path.string().rfind("/proc/", 0) == 0;
}

// Links are kept and what they point to is written, as the shell's > does. One that
// leads to itself is replaced.
std::string behind_links(std::filesystem::path path) {
    std::error_code error;
    for (int i = 0; i < 40 && !is_open_file(path) && std::filesystem::is_symlink(path, error); i++)
        path = path.parent_path() / std::filesystem::read_symlink(path, error);
    return path.string();
}

extern "C" void on_interrupt(int) {
    if (interrupt_seen)
        _exit(130); // a second Ctrl-C does not wait
    interrupt_seen = 1;
}

} // namespace

output_file::output_file(std::string path, bool whole) : path_(std::move(path)) {
    if (to_stdout()) {
        stream_ = whole ? std::tmpfile() : stdout;
        if (!stream_)
            fail("cannot create a temporary file");
        return;
    }
    std::error_code ignored;
    path_ = behind_links(path_);
    refuse_input(path_);
    if (std::filesystem::is_directory(path_, ignored))
        throw run_error(path_ + ": is a directory; name a file");
    // A device, a pipe or what is open (/dev/null, /dev/stdout) is written in place: it has no name
    // to keep clean.
    if (std::filesystem::exists(path_, ignored) &&
        (is_open_file(path_) || !std::filesystem::is_regular_file(path_, ignored))) {
        stream_ = std::fopen(path_.c_str(), "w");
    } else {
        if (!open_names().insert(path_).second)
            throw refused_error(path_ + ": named for two outputs; give each a file of its own");
        claimed_ = true;
        temporary_ = path_ + ".tmp-" + std::to_string(getpid());
        stream_ = std::fopen(temporary_.c_str(), "w");
    }
    if (!stream_) {
        temporary_.clear();
        if (claimed_)
            open_names().erase(path_);
        fail("cannot create");
    }
}

output_file::~output_file() {
    if (claimed_)
        open_names().erase(path_);
    if (stream_ && stream_ != stdout)
        std::fclose(stream_);
    if (!temporary_.empty())
        unlink(temporary_.c_str());
}

void output_file::fail(const char *what) const {
    throw run_error((to_stdout() ? std::string("standard output") : path_) + ": " + what + ": " +
                    std::strerror(errno));
}

void output_file::write(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stream_) != text.size())
        fail("cannot write");
}

// What was kept back, to standard output.
void output_file::pass_on() {
    char block[1 << 16];
    std::rewind(stream_);
    while (std::size_t got = std::fread(block, 1, sizeof(block), stream_))
        if (std::fwrite(block, 1, got, stdout) != got)
            fail("cannot write");
    if (std::ferror(stream_))
        fail("cannot read what was kept back");
    if (std::fflush(stdout) != 0)
        fail("cannot write");
}

void output_file::commit() {
    if (std::fflush(stream_) != 0 || std::ferror(stream_))
        fail("cannot write");
    if (to_stdout()) {
        if (stream_ != stdout)
            pass_on();
        return;
    }
    std::FILE *stream = stream_;
    stream_ = nullptr;
    if (std::fclose(stream) != 0)
        fail("cannot write");
    if (temporary_.empty())
        return;
    refuse_input(path_); // it may have been opened since
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0)
        fail("cannot create");
    temporary_.clear();
}

output_directory::output_directory(std::string path) : path_(std::move(path)) {
    namespace fs = std::filesystem;
    std::error_code error;
    fs::path missing = fs::path(path_).lexically_normal();
    for (fs::path p = missing; !p.empty() && !fs::exists(p, error); p = p.parent_path())
        created_ = p.string();
    fs::create_directories(path_, error);
    if (error || !fs::is_directory(path_, error)) {
        std::string reason = error ? error.message() : "not a directory";
        created_.clear();
        throw run_error(path_ + ": cannot create the directory: " + reason);
    }
}

output_directory::~output_directory() {
    std::error_code ignored;
    if (!created_.empty())
        std::filesystem::remove_all(created_, ignored);
}

void note_input(const std::string &path) {
    struct stat status = {};
    if (stat(path.c_str(), &status) == 0)
        inputs().insert({status.st_dev, status.st_ino});
}

void flush_stdout() {
    std::cout.flush();
    if (!std::cout || std::fflush(stdout) != 0)
        throw run_error(std::string("standard output: cannot write: ") + std::strerror(errno));
}

void watch_interrupts() {
    struct sigaction action = {};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    struct sigaction before = {}; // nohup ignores it
    if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
    return interrupt_seen != 0;
}

} // namespace bouncesim
