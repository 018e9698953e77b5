// SPDX-License-Identifier: Apache-2.0
// Output files appear under their name only when they are complete.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace bouncesim {

// Writes to NAME.tmp-PID and renames in commit(); the destructor removes what was not committed.
// "-" is standard output, which is written as it comes, or in commit() too when it is to be
// `whole`. Throws run_error (with the reason of the system) when the file cannot be created,
// written, synced to its name or renamed; refused_error when the name is that of an input.
class output_file {
  public:
    explicit output_file(std::string path, bool whole = false);
    output_file(const output_file &) = delete;
    output_file &operator=(const output_file &) = delete;
    ~output_file();

    void write(std::string_view text);
    void commit();
    std::FILE *stream() {
        return stream_;
    }
    bool to_stdout() const {
        return path_ == "-";
    }

  private:
    [[noreturn]] void fail(const char *what) const;
    void pass_on();

    std::string path_;
    std::string temporary_;
    bool claimed_ = false;
    std::FILE *stream_ = nullptr;
};

// Creates a directory (with its parents) and remembers what it made, so that a failed command
// leaves nothing behind; keep() makes it stay.
class output_directory {
  public:
    explicit output_directory(std::string path);
    output_directory(const output_directory &) = delete;
    output_directory &operator=(const output_directory &) = delete;
    ~output_directory();

    std::string file(const std::string &name) const {
        return path_ + "/" + name;
    }
    void keep() {
        created_.clear();
    }

  private:
    std::string path_;
    std::string created_; // topmost directory that did not exist before
};

// A file that is read: no output may take its name, what was recorded would be lost.
void note_input(const std::string &path);

// Standard output can fail too (a full disk, a closed pipe): throws run_error then.
void flush_stdout();

// Ctrl-C, SIGTERM, a terminal that is closed: long loops poll this and stop cleanly; temporary
// files are removed.
void watch_interrupts();
bool interrupted();

} // namespace bouncesim
