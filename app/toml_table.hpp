// SPDX-License-Identifier: Apache-2.0
// TOML files in which every key has to be known. Whatever is wrong in one is a refused_error with
// file, line, key, and what would be right.
#pragma once

#include "errors.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace bouncesim {

// Throws refused_error: cannot be read, or is no TOML.
toml::table parse_toml(const std::string &path);

// "value" as TOML writes it, with quotes.
std::string toml_quoted(const std::string &text);

// One table of a file: its keys are asked for, and finish() refuses what nobody asked for. Those
// that take a key leave `value` alone and return false when the key is not there.
class toml_table {
  public:
    // The parsed table has to outlive this; `name` is "" for the file itself.
    toml_table(std::string file, std::string name, const toml::table &table)
        : file_(std::move(file)), name_(std::move(name)), table_(table) {}

    const toml::node *find(const char *key);
    // "name.key", as messages say it.
    std::string path(const std::string &key) const;

    // A whole number from `least` to `most`.
    bool whole(const char *key, std::uint64_t &value, std::uint64_t least, std::uint64_t most);
    template <class T>
    bool number(const char *key, T &value, std::uint64_t least, std::uint64_t most) {
        std::uint64_t found = 0;
        if (!whole(key, found, least, most))
            return false;
        value = static_cast<T>(found);
        return true;
    }
    // Above 0.
    bool real(const char *key, double &value, double most);
    // In thousandths of the unit, rounded half up, so that it is the same everywhere.
    bool thousandths(const char *key, std::uint64_t &value, double least, double most);
    // In bytes: 4294967296 or "4G".
    bool size(const char *key, std::uint64_t &value);
    // "0xffff"; a mask is 2^n - 1.
    bool hex(const char *key, std::uint64_t &value);
    bool mask(const char *key, std::uint64_t &value);
    bool text(const char *key, std::string &value);
    bool flag(const char *key, bool &value);
    template <class T>
    bool choice(const char *key, T &value, const std::vector<std::pair<const char *, T>> &choices) {
        std::string given, names;
        if (!text(key, given))
            return false;
        for (const auto &[name, meaning] : choices) {
            if (given == name) {
                value = meaning;
                return true;
            }
            names += (names.empty() ? "" : ", ") + std::string(name);
        }
        refuse(key, "= \"" + given + "\": one of " + names + " was expected");
    }
    // What stands under [key], under [[key]]; NULL, none: not there.
    const toml::table *table(const char *key);
    std::vector<const toml::table *> tables(const char *key);

    // Calls read(table) with what stands under [key], if it does, and finishes it.
    template <class Read> void inside(const char *key, const Read &read) {
        if (const toml::table *found = table(key))
            read_part(key, *found, read);
    }
    // The same with each [[key]].
    template <class Read> void for_each(const char *key, const Read &read) {
        for (const toml::table *found : tables(key))
            read_part(key, *found, read);
    }
    // A table within this file, as messages are to name it.
    toml_table part(std::string name, const toml::table &table) const {
        return {file_, std::move(name), table};
    }

    // The number that `node` is; `what` names it.
    std::uint64_t whole_of(const toml::node &node, const std::string &what, std::uint64_t least,
                           std::uint64_t most) const;

    [[noreturn]] void refuse(const toml::node &at, const std::string &what) const;
    // At the head of the table.
    [[noreturn]] void refuse(const std::string &what) const;
    // At a key, or where it should be; its path stands in front.
    [[noreturn]] void refuse(const char *key, const std::string &what) const;
    // After everything was asked for.
    void finish() const;

  private:
    template <class Read>
    void read_part(const char *key, const toml::table &table, const Read &read) {
        toml_table within = part(path(key), table);
        read(within);
        within.finish();
    }

    std::string file_, name_;
    const toml::table &table_;
    std::set<std::string> seen_;
};

} // namespace bouncesim
