// SPDX-License-Identifier: Apache-2.0
#include "check_report.hpp"

#include "text.hpp"

namespace json = boost::json;

namespace bouncesim {
namespace {

std::string device_name(std::uint32_t device, const std::vector<bounce_device> &devices) {
    return device < devices.size() ? devices[device].name : std::to_string(device);
}

std::string byte_text(std::uint8_t byte) {
    return (byte < 16 ? "0" : "") + hex(byte);
}

} // namespace

json::object faults_json(const models::fault_stats &faults,
                         const std::vector<bounce_device> &devices) {
    json::object kinds;
    for (std::size_t i = 1; i < models::dma_fault_kinds; i++)
        kinds[models::dma_fault_name(static_cast<models::dma_fault>(i))] = faults.by_kind[i];
    json::array first;
    for (std::size_t i = 0; i < faults.listed(); i++) {
        const models::dma_fault_row &row = faults.first[i];
        first.emplace_back(json::object{{"kind", models::dma_fault_name(row.kind)},
                                        {"device", device_name(row.device, devices)},
                                        {"address", hex(row.address)},
                                        {"bytes", row.bytes},
                                        {"direction", row.write ? "write" : "read"}});
    }
    return {{"count", faults.count}, {"by_kind", kinds}, {"first", first}};
}

json::object check_json(const models::check_stats &stats,
                        const std::vector<bounce_device> &devices) {
    json::object out;
    json::array first;
    for (std::size_t i = 0; i < stats.listed(); i++) {
        const models::check_mismatch &row = stats.first[i];
        first.emplace_back(json::object{{"place", models::check_place_name(row.place)},
                                        {"id", row.id},
                                        {"device", device_name(row.device, devices)},
                                        {"offset", row.offset},
                                        {"expected", byte_text(row.expected)},
                                        {"found", byte_text(row.found)}});
    }
#define BOUNCESIM_ROW(name, unit, meaning) out[#name] = stats.name;
    BOUNCESIM_CHECK_STATS(BOUNCESIM_ROW)
#undef BOUNCESIM_ROW
    out["first"] = first;
    out["faults"] = faults_json(stats.faults, devices);
    return out;
}

std::string check_summary(const models::check_stats &stats,
                          const std::vector<bounce_device> &devices) {
    std::string text = "Data check: " + bytes_text(stats.bytes_checked) + " looked at in " +
                       with_commas(stats.mappings) + " mappings";
    if (stats.not_checked)
        text += " (" + with_commas(stats.not_checked) + " more were too large)";
    if (stats.clean())
        return text + ", every byte where it belongs.\n";
    text += ": " + with_commas(stats.mismatches) + " mismatches, " + with_commas(stats.lost_bytes) +
            " bytes copied outside every mapping, " + with_commas(stats.faults.count) +
            " faulty transfers.\n";
    for (std::size_t i = 0; i < stats.listed(); i++) {
        const models::check_mismatch &row = stats.first[i];
        text += "  " + std::string(models::check_place_name(row.place)) + ": mapping " +
                std::to_string(row.id) + " of " + device_name(row.device, devices) + ", offset " +
                std::to_string(row.offset) + ": " + byte_text(row.expected) + " expected, " +
                byte_text(row.found) + " found\n";
    }
    for (std::size_t i = 0; i < stats.faults.listed(); i++) {
        const models::dma_fault_row &row = stats.faults.first[i];
        text += "  fault (" + std::string(models::dma_fault_name(row.kind)) +
                "): " + device_name(row.device, devices) + (row.write ? " writes " : " reads ") +
                std::to_string(row.bytes) + " bytes at 0x" + hex(row.address) + "\n";
    }
    return text;
}

} // namespace bouncesim
