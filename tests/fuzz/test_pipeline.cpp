// SPDX-License-Identifier: Apache-2.0
// The fuzzer's way through the library, on the fixtures, whole and cut: it must stay able to run.
#include "pipeline.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace {

TEST(Pipeline, FixturesToTheEnd) {
    std::size_t mapped = 0;
    for (const char *folder : {"/formats", "/formats/requests"})
        for (const auto &entry :
             std::filesystem::directory_iterator(TESTS_DIR + std::string(folder))) {
            std::string extension = entry.path().extension();
            if (!entry.is_regular_file() || extension == ".py" || extension == ".cpp" ||
                extension == ".hpp" || extension == ".md")
                continue;
            std::string text = reading::file(entry.path());
            for (std::size_t parts = 1; parts <= 8; parts++) {
                reading::outcome out = reading::read(text.substr(0, text.size() / parts));
                EXPECT_EQ(run_pipeline(out), "") << entry.path().filename() << " / " << parts;
                mapped += out.recorded.level == BOUNCE_LEVEL_MAPPINGS && !out.events.empty();
            }
        }
    EXPECT_GT(mapped, 10u);
}

} // namespace
