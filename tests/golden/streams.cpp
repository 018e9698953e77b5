// SPDX-License-Identifier: Apache-2.0
#include "streams.hpp"

#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace golden {

const std::vector<std::string> profiles = {"coco-1",       "iommu-1", "isa-1",  "manycpu-1",
                                           "mix-1",        "net-1",   "nvme-1", "odd-1",
                                           "restricted-1", "sync-1",  "tiny-1"};

std::string read_xz(const std::string &path) {
    namespace io = boost::iostreams;
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error(path + ": cannot open");
    io::filtering_streambuf<io::input> unpack;
    unpack.push(io::lzma_decompressor());
    unpack.push(file);
    std::ostringstream text;
    io::copy(unpack, text);
    return text.str();
}

std::string path_of(const std::string &name) {
    return std::string(TESTS_DIR) + "/golden/" + name;
}

stream read_stream(const std::string &path) {
    stream s;
    std::istringstream text(read_xz(path));
    for (std::string line; std::getline(text, line);) {
        std::istringstream in(line);
        operation op;
        std::uint64_t number = 0;
        in >> op.kind;
        switch (op.kind) {
        case 'P':
            in >> s.slots >> s.cpus >> s.areas >> std::hex >> s.start;
            break;
        case 'D': {
            device d = {};
            in >> number >> std::hex >> d.min_align_mask >> d.seg_boundary >> d.dma_mask;
            s.devices.resize(std::max<std::size_t>(s.devices.size(), number + 1));
            s.devices[number] = d;
            break;
        }
        case 'M':
            in >> op.id >> op.cpu >> op.dev >> std::hex >> op.orig >> std::dec >> op.size >>
                std::hex >> op.align >> std::dec >> op.dir;
            break;
        case 'A':
            in >> op.id >> op.cpu >> op.dev >> op.size;
            break;
        case 'U':
            in >> op.id;
            break;
        case 'S': {
            char side = 0;
            in >> op.id >> std::hex >> op.offset >> std::dec >> op.size >> side;
            op.for_cpu = side == 'C';
            break;
        }
        case 'W':
            break;
        default:
            in.setstate(std::ios::failbit);
        }
        if (!in)
            throw std::runtime_error(path + ": not an operation: " + line);
        if (op.kind == 'P' || op.kind == 'D')
            continue;
        s.ids = std::max(s.ids, op.id + 1);
        s.operations.push_back(op);
    }
    return s;
}

} // namespace golden
