// SPDX-License-Identifier: Apache-2.0
// The members of a tar archive, one after the other, as a stream; nothing is written anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace bouncesim {

// Reads ustar, pax and GNU archives. Only regular files are shown; all else is passed over. What
// is broken, truncated or sparse throws refused_error with one line, without the archive's name.
class tar_reader {
  public:
    // Fills up to `capacity` bytes and returns how many, 0 at the end.
    using source = std::function<std::size_t(char *buffer, std::size_t capacity)>;

    static constexpr std::size_t block = 512;

    explicit tar_reader(source read) : read_(std::move(read)) {}

    // Whether an archive begins with these bytes: a header whose checksum is right.
    static bool is_header(const char *bytes, std::size_t length);

    // Goes to the next regular file; false at the end of the archive.
    bool next();

    // Without its folders.
    const std::string &name() const {
        return name_;
    }

    // Of the current file; 0 at its end.
    std::size_t read(char *buffer, std::size_t capacity);

    // All of it. Throws refused_error when there are more than `most` bytes.
    std::string text(std::size_t most);

  private:
    bool read_block(char *buffer);
    std::string extension(std::uint64_t size, const char *what);
    void read_pax(const std::string &records);
    void skip(std::uint64_t bytes);

    source read_;
    std::string name_;
    std::uint64_t left_ = 0;    // bytes of the current file
    std::uint64_t padding_ = 0; // behind it
    std::string long_name_;     // of the next member, as an extension header tells
    std::uint64_t pax_size_ = 0;
    bool has_pax_size_ = false;
    bool ended_ = false;
};

} // namespace bouncesim
