// SPDX-License-Identifier: Apache-2.0
// bouncesim explain: log lines in, cause and advice out. One pass, memory of fixed size.
#include "commands.hpp"
#include "errors.hpp"
#include "input.hpp"
#include "output.hpp"
#include "recorded_causes.hpp"
#include "text.hpp"

#include "bounce/explain.h"

#include <boost/json.hpp>
#include <boost/program_options.hpp>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace bouncesim {

int cmd_explain(const arguments &args);

namespace {

namespace json = boost::json;
namespace po = boost::program_options;

constexpr std::size_t group_rows = 20; // kinds of event shown on the terminal

struct settings {
    bounce_explain_options options;
    std::string json;
    std::string recording;
    bool quiet = false;
    arguments inputs;
};

// Decimal, 0x... or with K; base 16 for a mask.
std::uint32_t number(const char *option, const std::string &text, int base) {
    char *end = nullptr;
    errno = 0;
    std::uint64_t value = std::strtoull(text.c_str(), &end, base);
    if (*end == 'K' && value <= UINT32_MAX)
        value *= 1024, ++end;
    if (text.empty() || !std::isxdigit(static_cast<unsigned char>(text[0])) || *end || errno ||
        value > UINT32_MAX)
        throw refused_error("explain: --" + std::string(option) + " " + text + ": a " +
                            (base == 16 ? "hexadecimal " : "") +
                            "number of at most 32 bits was expected");
    return static_cast<std::uint32_t>(value);
}

// Returns false when the help was asked for and printed.
bool read_settings(const arguments &args, settings &s) {
    bounce_explain_options &o = s.options;
    bounce_explain_options_init(&o);
    auto to = [](const char *option, const char *name, std::uint32_t &value, int base = 0) {
        auto take = [option, &value, base](const std::string &text) {
            value = number(option, text, base);
        };
        return po::value<std::string>()->value_name(name)->notifier(take);
    };
    po::options_description shown("Options");
    auto add = shown.add_options();
    add("help,h", "show this text");
    add("areas", to("areas", "N", o.areas),
        "areas of the pool, when the log has no boot messages that tell");
    add("min-align-mask", to("min-align-mask", "HEX", o.min_align_mask, 16),
        "of the device: fff for nvme, storvsc");
    add("granule", to("granule", "BYTES", o.granule),
        "IOMMU granule (untrusted device), or a page above 4 KiB");
    add("slot-size", to("slot-size", "BYTES", o.slot_size), "slot; stock 2048");
    add("segment-slots", to("segment-slots", "N", o.segment_slots),
        "slots of a slot set; stock 128");
    add("recording", po::value(&s.recording)->value_name("TRACE"),
        "of the same machine: it is replayed, and says what was behind failures of that size");
    add("json", po::value(&s.json)->value_name("FILE"), "write the answers as JSON; - for stdout");
    add("quiet,q", po::bool_switch(&s.quiet), "no text on stdout");
    po::options_description all;
    all.add(shown).add_options()("input", po::value(&s.inputs));
    po::positional_options_description rest;
    rest.add("input", -1);
    po::variables_map map;
    namespace style = po::command_line_style;
    try {
        int plain = style::default_style & ~style::allow_guessing;
        po::command_line_parser parser(args);
        po::store(parser.options(all).positional(rest).style(plain).run(), map);
        po::notify(map);
    } catch (const po::error &e) {
        throw refused_error(std::string("explain: ") + e.what());
    }
    for (const auto &[option, text] : {std::pair{"json", &s.json}, {"recording", &s.recording}})
        if (map.count(option) && text->empty())
            throw refused_error("explain: --" + std::string(option) +
                                ": is empty; a value was expected");
    if (map.count("help")) {
        std::cout
            << "usage: bouncesim explain [OPTION...] LINE|FILE|-...\n\n"
               "Says what \"swiotlb buffer is full\" lines of a kernel log mean. A FILE may be "
               "a whole log, also\n.gz, .xz, .zst or .bz2; or dmesg | bouncesim explain\n\n"
            << shown;
        return false;
    }
    o.areas_given = map.count("areas") != 0;
    o.masks_known = map.count("min-align-mask") != 0 || map.count("granule") != 0;
    if (const char *fault = bounce_explain_options_fault(&o))
        throw refused_error(std::string("explain: ") + fault);
    return true;
}

// JSON strings must be UTF-8 and terminals are no place for control characters; a log is anything.
std::string plain(const bounce_log_span &span) {
    std::string text(span.text, span.length);
    text.erase(0, text.find_first_not_of(" \t"));
    for (char &c : text)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') ||
            static_cast<unsigned char>(c) > 0x7e)
            c = '?';
    return text;
}

json::value known(bool is, std::uint64_t value) {
    return is ? json::value(value) : json::value(nullptr);
}

json::value size_value(const bounce_log_record &r) {
    if (r.has & BOUNCE_LOG_NEGATIVE)
        return r.size > INT64_MAX ? INT64_MIN : -static_cast<std::int64_t>(r.size);
    return known(r.has & BOUNCE_LOG_HAS_SIZE, r.size);
}

// The keys that lines and groups share.
json::object numbers(const bounce_log_record &r, const bounce_explain_result &x) {
    json::object row;
    row["device"] = r.device.length ? json::value(plain(r.device)) : json::value(nullptr);
    row["cause"] = bounce_explain_cause_name(x.cause);
    row["size"] = size_value(r);
    row["slots_needed"] = known(x.needed_known, x.needed);
    row["slots_free"] = known(x.free_known, x.free);
    row["slots_total"] = known(r.has & BOUNCE_LOG_HAS_TOTAL, r.total);
    row["slots_used"] = known(r.has & BOUNCE_LOG_HAS_USED, r.used);
    return row;
}

template <class Item> json::array list(const Item *items, unsigned count) {
    json::array array;
    for (unsigned i = 0; i < count; i++)
        array.emplace_back(std::string_view(items[i]));
    return array;
}

class report {
  public:
    explicit report(const settings &s) : settings_(s) {
        if (!s.recording.empty())
            recorded_ = std::make_unique<recorded_causes>(s.recording);
        auto take = [](void *self, const bounce_log_event *event) {
            static_cast<report *>(self)->take(*event);
        };
        bounce_log_stream_init(stream_.get(), &s.options, take, this);
    }
    void read_lines(const std::string &lines);
    void read_file(const std::string &path);
    void finish();

  private:
    void take(const bounce_log_event &event);
    json::object summary_object() const;
    void print_many() const;
    void print_one(const bounce_explain_group &group) const;
    recorded_causes::counts behind(const bounce_log_record &line) const;
    json::value behind_value(const bounce_log_record &line) const;

    const settings &settings_;
    std::unique_ptr<bounce_log_stream> stream_ = std::make_unique<bounce_log_stream>();
    std::unique_ptr<bounce_explain_summary> summary_ = std::make_unique<bounce_explain_summary>();
    std::unique_ptr<output_file> out_; // from the first event on: a refused input leaves no file
    std::unique_ptr<recorded_causes> recorded_;
    json::value file_; // null for a line given as an argument
};

void report::read_lines(const std::string &lines) {
    file_ = nullptr;
    bounce_log_stream_feed(stream_.get(), lines.data(), lines.size());
    bounce_log_stream_end(stream_.get());
}

void report::read_file(const std::string &path) {
    file_ = plain({path.data(), path.size()});
    trace_input file({path});
    bounce_input input = file.as_input();
    std::vector<char> chunk(64 * 1024);
    bounce_error error = {};
    for (std::size_t got = 0;; bounce_log_stream_feed(stream_.get(), chunk.data(), got)) {
        bounce_status status = input.read(input.context, chunk.data(), chunk.size(), &got, &error);
        if (status == BOUNCE_MALFORMED)
            throw refused_error(file.where(0) + error.text);
        if (status != BOUNCE_OK)
            throw run_error(file.where(0) + error.text);
        if (interrupted())
            throw run_error("interrupted");
        if (!got)
            break;
    }
    bounce_log_stream_end(stream_.get());
}

void report::take(const bounce_log_event &event) {
    bounce_explain_summary_add(summary_.get(), &event);
    if (settings_.json.empty())
        return;
    bounce_advice advice;
    bounce_explain_advise(event.options, event.record, event.result, &advice);
    json::object row;
    row["line"] = plain(event.line);
    row["number"] = event.number;
    row["file"] = file_;
    for (auto &pair : numbers(*event.record, *event.result))
        row.insert(pair);
    row["why"] = advice.why;
    row["helps"] = list(advice.helps, advice.helps_count);
    row["does_not_help"] = list(advice.no_help, advice.no_help_count);
    row["may_be"] = list(advice.may_be, advice.may_be_count);
    row["ruled_out"] = list(advice.ruled_out, advice.ruled_out_count);
    if (recorded_)
        row["recorded_causes"] = behind_value(*event.record);
    bool first = !out_;
    if (first)
        out_ = std::make_unique<output_file>(settings_.json);
    out_->write(first ? "{\"schema\":\"bouncesim-explain/1\",\"lines\":[\n" : ",\n");
    out_->write(json::serialize(row));
}

std::string verdict(const bounce_explain_summary &s) {
    char text[512];
    bounce_explain_verdict(&s, text, sizeof text);
    return text;
}

json::object report::summary_object() const {
    const bounce_explain_summary &s = *summary_;
    json::object o, causes;
    o["lines_read"] = stream_->lines;
    o["lines_cut"] = stream_->lines_cut;
    o["events"] = s.events;
    o["suppressed"] = bounce_log_stream_suppressed(stream_.get());
    o["repeats"] = stream_->repeats;
    o["malformed"] = stream_->malformed;
    for (int i = 0; i < BOUNCE_EXPLAIN_CAUSES; i++)
        causes[bounce_explain_cause_name(static_cast<bounce_explain_cause>(i))] = s.by_cause[i];
    o["by_cause"] = causes;
    json::array groups;
    for (std::uint64_t i = 0; i < s.groups_count; i++) {
        const bounce_explain_group &g = s.groups[i];
        json::object row = numbers(bounce_explain_group_record(&g), g.result);
        row.erase("slots_free");
        row.erase("slots_used");
        row["count"] = g.count;
        if (recorded_)
            row["recorded_causes"] = behind_value(bounce_explain_group_record(&g));
        row["slots_used_least"] = known(g.used_least <= g.used_most, g.used_least);
        row["slots_used_most"] = known(g.used_least <= g.used_most, g.used_most);
        groups.push_back(row);
    }
    o["groups"] = groups;
    o["events_in_no_group"] = s.ungrouped;
    o["used_never_fell"] = bounce_explain_used_never_fell(&s);
    o["verdict"] = verdict(s);
    return o;
}

void print_group(const bounce_explain_group &g) {
    char text[8192];
    std::cout.write(text, static_cast<std::streamsize>(bounce_explain_text(&g, text, sizeof text)));
}

void print_item(const char *label, const std::string &content) {
    char text[2048];
    bounce_explain_item(label, content.c_str(), false, text, sizeof text);
    std::cout << text;
}

recorded_causes::counts report::behind(const bounce_log_record &line) const {
    bool sized = (line.has & BOUNCE_LOG_HAS_SIZE) && !(line.has & BOUNCE_LOG_NEGATIVE);
    return sized ? recorded_->find(plain(line.device), line.size) : recorded_causes::counts();
}

// Null: nothing of that size failed in the recording.
json::value report::behind_value(const bounce_log_record &line) const {
    recorded_causes::counts counts = behind(line);
    if (!counts.failures)
        return nullptr;
    json::object causes;
    for (int cause = 0; cause < BOUNCE_CAUSE_COUNT; cause++)
        if (counts.by_cause[cause])
            causes[bounce_cause_name(static_cast<bounce_cause>(cause))] = counts.by_cause[cause];
    return causes;
}

void report::print_one(const bounce_explain_group &group) const {
    print_group(group);
    if (!recorded_)
        return;
    recorded_causes::counts counts = behind(bounce_explain_group_record(&group));
    const recorded_causes::counts &all = recorded_->all();
    if (counts.failures)
        print_item("recorded", "failures of that size: " + causes_text(counts));
    else if (all.failures)
        print_item("recorded", "no failure of that size; of others: " + causes_text(all));
    else
        print_item("recorded", "no map failed in " + settings_.recording);
}

void report::print_many() const {
    const bounce_explain_summary &s = *summary_;
    std::cout << s.events << " events of " << s.groups_count << " kinds, most frequent first\n\n"
              << "   count  cause             request            device and pool\n";
    for (std::uint64_t i = 0; i < s.groups_count && i < group_rows; i++) {
        char row[512];
        bounce_explain_row(&s.groups[i], row, sizeof row);
        std::cout << row << '\n';
    }
    if (s.groups_count > group_rows)
        std::cout << "          and " << s.groups_count - group_rows << " more kinds (--json)\n";
    bool told[BOUNCE_EXPLAIN_CAUSES] = {};
    for (std::uint64_t i = 0; i < s.groups_count; i++)
        if (!std::exchange(told[s.groups[i].result.cause], true)) {
            std::cout << '\n';
            print_one(s.groups[i]);
        }
}

void report::finish() {
    const bounce_explain_summary &s = *summary_;
    std::uint64_t suppressed = bounce_log_stream_suppressed(stream_.get());
    if (!s.events) {
        std::string text =
            "explain: no such line in " + std::to_string(stream_->lines) + " lines; ";
        if (stream_->malformed)
            text += std::to_string(stream_->malformed) + " have the words without the numbers; ";
        else if (suppressed)
            text += "only the count of " + std::to_string(suppressed) + " suppressed ones; ";
        throw refused_error(text + "looked for \"swiotlb buffer is full (sz: N bytes)\" and the "
                                   "older forms of that message");
    }
    bounce_explain_summary_sort(summary_.get());
    if (out_) {
        out_->write("\n],\"summary\":" + json::serialize(summary_object()) + "}\n");
        out_->commit();
    }
    if (settings_.quiet || settings_.json == "-")
        return;
    if (s.groups_count == 1)
        print_one(s.groups[0]);
    else
        print_many();
    if (!recorded_)
        print_item("find out", "record a run with the dma and swiotlb trace events "
                               "(scripts/record-trace.sh): --recording TRACE tells the cause then");
    std::string counts;
    auto count = [&](std::uint64_t n, const char *what) {
        if (n)
            counts += (counts.empty() ? "" : "; ") + std::to_string(n) + what;
    };
    if (s.events > 1)
        count(s.events, " events");
    count(suppressed, " more not printed by the kernel (callbacks suppressed)");
    count(stream_->repeats, " second messages about the same events, not counted");
    count(stream_->malformed, " torn messages, not counted");
    count(stream_->lines_cut, " lines longer than 64 KiB, the rest of each not read");
    if (!counts.empty())
        print_item("counted", counts);
    if (s.events > 1)
        print_item("verdict", verdict(s));
}

} // namespace

int cmd_explain(const arguments &args) {
    settings s;
    if (!read_settings(args, s))
        return exit_done;
    if (s.inputs.empty()) {
        if (isatty(STDIN_FILENO))
            throw refused_error("explain: name a log LINE, a FILE or -; --help says more");
        s.inputs.push_back("-");
    }
    watch_interrupts();
    report all(s);
    auto is_line = [](const std::string &input) {
        std::error_code ignored;
        return input != "-" && !std::filesystem::exists(input, ignored);
    };
    std::string lines;
    for (const std::string &input : s.inputs)
        if (is_line(input) && input.find(' ') == std::string::npos)
            throw refused_error("explain: '" + input + "' is no file and no log line");
        else if (is_line(input))
            lines += input + '\n';
    all.read_lines(lines);
    for (const std::string &input : s.inputs)
        if (!is_line(input))
            all.read_file(input);
    all.finish();
    return exit_done;
}

} // namespace bouncesim
