// SPDX-License-Identifier: Apache-2.0
#include "toml_table.hpp"

#include "options.hpp"
#include "output.hpp"
#include "text.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace bouncesim {
namespace {

std::string number_text(double value) {
    std::string text = fixed(value, 3);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.')
        text.pop_back();
    return text;
}

// Hexadecimal digits and nothing else.
bool parse_hex(std::string_view digits, std::uint64_t &value) {
    if (digits.substr(0, 2) == "0x")
        digits.remove_prefix(2);
    const char *end = digits.data() + digits.size();
    auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
    return !digits.empty() && error == std::errc() && stop == end;
}

} // namespace

toml::table parse_toml(const std::string &path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        throw refused_error(path + ": is a directory; a TOML file was expected");
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
        throw refused_error(path + ": cannot be read" +
                            (errno ? std::string(" (") + std::strerror(errno) + ")" : "") +
                            "; a TOML file was expected");
    note_input(path);
    try {
        return toml::parse(stream, path);
    } catch (const toml::parse_error &e) {
        std::uint32_t line = e.source().begin.line;
        throw refused_error(path + ":" + (line ? std::to_string(line) + ":" : "") + " " +
                            std::string(e.description()) + "; TOML was expected");
    }
}

std::string toml_quoted(const std::string &text) {
    std::ostringstream out;
    out << toml::value<std::string>(text);
    return out.str();
}

const toml::node *toml_table::find(const char *key) {
    seen_.insert(key);
    return table_.get(key);
}

std::string toml_table::path(const std::string &key) const {
    return name_.empty() ? key : name_ + "." + key;
}

void toml_table::refuse(const toml::node &at, const std::string &what) const {
    throw refused_error(file_ + ":" + std::to_string(at.source().begin.line) + ": " + what);
}

void toml_table::refuse(const std::string &what) const {
    refuse(table_, what);
}

void toml_table::refuse(const char *key, const std::string &what) const {
    const toml::node *at = table_.get(key);
    refuse(at ? *at : table_, path(key) + (what.front() == '=' ? " " : ": ") + what);
}

std::uint64_t toml_table::whole_of(const toml::node &node, const std::string &what,
                                   std::uint64_t least, std::uint64_t most) const {
    auto found = node.value_exact<std::int64_t>();
    if (!found || *found < 0 || static_cast<std::uint64_t>(*found) < least ||
        static_cast<std::uint64_t>(*found) > most)
        refuse(node, what + ": a whole number from " + std::to_string(least) + " to " +
                         std::to_string(most) + " was expected");
    return static_cast<std::uint64_t>(*found);
}

bool toml_table::whole(const char *key, std::uint64_t &value, std::uint64_t least,
                       std::uint64_t most) {
    const toml::node *node = find(key);
    if (!node)
        return false;
    value = whole_of(*node, path(key), least, most);
    return true;
}

bool toml_table::real(const char *key, double &value, double most) {
    const toml::node *node = find(key);
    if (!node)
        return false;
    auto found = node->value<double>();
    if (!found || !(*found > 0) || *found > most)
        refuse(key, "a number above 0 and up to " + number_text(most) + " was expected");
    value = *found;
    return true;
}

bool toml_table::thousandths(const char *key, std::uint64_t &value, double least, double most) {
    const toml::node *node = find(key);
    if (!node)
        return false;
    auto found = node->value<double>();
    if (!found || !(*found >= least && *found <= most))
        refuse(key, "a number from " + number_text(least) + " to " + number_text(most) +
                        " was expected");
    value = static_cast<std::uint64_t>(std::floor(*found * 1000 + 0.5));
    return true;
}

bool toml_table::size(const char *key, std::uint64_t &value) {
    const toml::node *node = find(key);
    if (!node)
        return false;
    if (auto bytes = node->value_exact<std::int64_t>(); bytes && *bytes > 0) {
        value = static_cast<std::uint64_t>(*bytes);
        return true;
    }
    try {
        if (auto text = node->value_exact<std::string>()) {
            value = parse_size(*text, key);
            return true;
        }
    } catch (const refused_error &) { // said below
    }
    refuse(key, "a size such as \"4G\" or a number of bytes was expected");
}

bool toml_table::hex(const char *key, std::uint64_t &value) {
    const toml::node *node = find(key);
    if (!node)
        return false;
    auto found = node->value_exact<std::string>();
    if (!found || !parse_hex(*found, value))
        refuse(key, "a string of hexadecimal digits was expected");
    return true;
}

bool toml_table::mask(const char *key, std::uint64_t &value) {
    if (!hex(key, value))
        return false;
    if (value & (value + 1))
        refuse(key, "a mask of the form 2^n - 1 was expected, such as \"0xfff\"");
    return true;
}

bool toml_table::text(const char *key, std::string &value) {
    const toml::node *node = find(key);
    if (!node)
        return false;
    auto found = node->value_exact<std::string>();
    if (!found)
        refuse(key, "a string was expected");
    value = *found;
    return true;
}

bool toml_table::flag(const char *key, bool &value) {
    const toml::node *node = find(key);
    if (!node)
        return false;
    auto found = node->value_exact<bool>();
    if (!found)
        refuse(key, "true or false was expected");
    value = *found;
    return true;
}

const toml::table *toml_table::table(const char *key) {
    const toml::node *node = find(key);
    if (node && !node->is_table())
        refuse(key, "a table was expected, [" + path(key) + "]");
    return node ? node->as_table() : nullptr;
}

std::vector<const toml::table *> toml_table::tables(const char *key) {
    std::vector<const toml::table *> found;
    const toml::node *node = find(key);
    if (!node)
        return found;
    const toml::array *array = node->as_array();
    if (!array || array->empty() || !array->is_array_of_tables())
        refuse(key, "tables were expected, each under [[" + path(key) + "]]");
    for (const toml::node &item : *array)
        found.push_back(item.as_table());
    return found;
}

void toml_table::finish() const {
    for (const auto &[key, node] : table_) {
        std::string name(key.str()), known;
        if (seen_.count(name))
            continue;
        for (const std::string &each : seen_)
            known += (known.empty() ? "" : ", ") + each;
        throw refused_error(file_ + ":" + std::to_string(key.source().begin.line) + ": no key '" +
                            path(name) + "'; there are " + known);
    }
}

} // namespace bouncesim
