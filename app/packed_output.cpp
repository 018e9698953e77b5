// SPDX-License-Identifier: Apache-2.0
#include "packed_output.hpp"

#include "errors.hpp"

#include <boost/iostreams/close.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>

namespace bouncesim {
namespace io = boost::iostreams;
namespace {

// Boost.Iostreams copies its sinks.
struct file_sink {
    using char_type = char;
    using category = io::sink_tag;
    output_file *file;

    std::streamsize write(const char *bytes, std::streamsize length) {
        file->write(std::string_view(bytes, static_cast<std::size_t>(length)));
        return length;
    }
};

} // namespace

std::string suffix_of(const std::string &path, std::string *packing) {
    std::string name = path.substr(path.find_last_of('/') + 1);
    packing->clear();
    for (const char *known : {".gz", ".xz", ".zst"}) {
        std::string_view end = known;
        if (name.size() > end.size() &&
            name.compare(name.size() - end.size(), end.size(), end) == 0) {
            *packing = known;
            name.resize(name.size() - end.size());
            break;
        }
    }
    std::size_t dot = name.find_last_of('.');
    return dot == std::string::npos ? std::string() : name.substr(dot);
}

packed_output::packed_output(const std::string &path, bool whole) : file_(path, whole) {
    std::string packing;
    suffix_of(path, &packing);
    packed_ = !packing.empty();
    if (packing == ".gz") {
        io::gzip_params params(io::zlib::default_compression);
        params.mtime = 0;
        pack_.push(io::gzip_compressor(params));
    } else if (packing == ".xz") {
        pack_.push(io::lzma_compressor());
    } else if (packing == ".zst") {
        pack_.push(io::zstd_compressor());
    }
    if (packed_)
        pack_.push(file_sink{&file_}, 1 << 16);
}

void packed_output::write(std::string_view bytes) {
    bytes_ += bytes.size();
    if (!packed_)
        file_.write(bytes);
    else if (pack_.sputn(bytes.data(), static_cast<std::streamsize>(bytes.size())) !=
             static_cast<std::streamsize>(bytes.size()))
        throw run_error("cannot compress the output");
}

void packed_output::commit() {
    if (packed_)
        io::close(pack_);
    file_.commit();
}

} // namespace bouncesim
