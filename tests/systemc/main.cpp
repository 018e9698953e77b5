// SPDX-License-Identifier: Apache-2.0
// SystemC owns main() and calls sc_main(). Whatever SystemC warns of or refuses fails the test that
// was running.
#include <gtest/gtest.h>
#include <systemc>

namespace {

void fail_on_report(const sc_core::sc_report &report, const sc_core::sc_actions &actions) {
    if (report.get_severity() >= sc_core::SC_WARNING)
        ADD_FAILURE() << "SystemC: " << report.what();
    sc_core::sc_report_handler::default_handler(report, actions);
}

} // namespace

int sc_main(int argc, char *argv[]) {
    testing::InitGoogleTest(&argc, argv);
    sc_core::sc_report_handler::set_handler(fail_on_report);
    return RUN_ALL_TESTS();
}
