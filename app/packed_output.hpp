// SPDX-License-Identifier: Apache-2.0
// An output file that is compressed as its name says: .gz, .xz, .zst, or not at all.
#pragma once

#include "output.hpp"

#include <boost/iostreams/filtering_streambuf.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace bouncesim {

// "x.bnc.zst": ".bnc", and ".zst" in *packing (empty when it is not packed).
std::string suffix_of(const std::string &path, std::string *packing);

class packed_output {
  public:
    // Throws run_error as output_file does, here and below.
    explicit packed_output(const std::string &path, bool whole = false);
    void write(std::string_view bytes);
    void commit();

    std::uint64_t bytes() const { // given to write(), before compression
        return bytes_;
    }

  private:
    output_file file_;
    bool packed_ = false;
    std::uint64_t bytes_ = 0;
    boost::iostreams::filtering_streambuf<boost::iostreams::output> pack_;
};

} // namespace bouncesim
