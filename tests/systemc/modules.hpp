// SPDX-License-Identifier: Apache-2.0
// For tests of single modules: a fresh SystemC kernel, an initiator and a target to bind them to.
#pragma once

#include "dma_extension.hpp"

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <vector>

// To be made before the modules; elaboration happens at the first transfer.
class module_test {
  public:
    module_test()
        : current_(sc_core::sc_curr_simcontext), global_(sc_core::sc_default_global_context) {
        sc_core::sc_curr_simcontext = &context_;
        sc_core::sc_default_global_context = &context_;
    }
    module_test(const module_test &) = delete;
    module_test &operator=(const module_test &) = delete;
    ~module_test() {
        sc_core::sc_curr_simcontext = current_;
        sc_core::sc_default_global_context = global_;
    }

  private:
    sc_core::sc_simcontext context_;
    sc_core::sc_simcontext *current_;
    sc_core::sc_simcontext *global_;
};

// Sends transfers as devices do.
class bus_initiator : public sc_core::sc_module {
  public:
    tlm_utils::simple_initiator_socket<bus_initiator> bus;
    uint64_t time_ps = 0; // when the next transfer is sent; afterwards, when it was done

    explicit bus_initiator(const sc_core::sc_module_name &name) : sc_module(name), bus("bus") {
        to_memory_.extension.request = bouncesim::models::dma_request::transfer;
        SC_METHOD(elaborate); // something has to happen, or SystemC warns
    }
    SC_HAS_PROCESS(bus_initiator);
    bouncesim::models::dma_extension &extension() {
        return to_memory_.extension;
    }
    // Whether it was served. `data` may be null.
    bool transfer(uint64_t address, unsigned bytes, bounce_dir dir, unsigned char *data = nullptr) {
        if (!elaborated_)
            sc_core::sc_start(sc_core::SC_ZERO_TIME);
        tlm::tlm_generic_payload &payload = to_memory_.payload;
        payload.set_address(address);
        payload.set_data_length(bytes);
        payload.set_data_ptr(data);
        payload.set_command(!data                     ? tlm::TLM_IGNORE_COMMAND
                            : dir == BOUNCE_TO_DEVICE ? tlm::TLM_READ_COMMAND
                                                      : tlm::TLM_WRITE_COMMAND);
        payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
        to_memory_.extension.dir = static_cast<uint8_t>(dir);
        to_memory_.extension.data_bytes = data ? bytes : 0;
        to_memory_.extension.fault = bouncesim::models::dma_fault::no_fault;
        sc_core::sc_time delay = sc_core::sc_time::from_value(time_ps);
        bus->b_transport(payload, delay);
        time_ps = delay.value();
        return payload.is_response_ok();
    }

  private:
    void elaborate() {
        elaborated_ = true;
    }

    bouncesim::models::dma_transaction to_memory_;
    bool elaborated_ = false;
};

// Remembers what reaches it, and takes no time.
class bus_target : public sc_core::sc_module {
  public:
    struct access {
        uint64_t address;
        uint64_t bytes;
        uint64_t space;
        uint64_t data_bytes;
        uint64_t time_ps;
    };
    tlm_utils::multi_passthrough_target_socket<bus_target> socket;
    uint64_t accesses = 0;
    std::vector<access> log; // when keep is set
    bool keep = false;

    explicit bus_target(const sc_core::sc_module_name &name) : sc_module(name), socket("socket") {
        socket.register_b_transport(this, &bus_target::b_transport);
    }

  private:
    void b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) {
        const auto &ext = *payload.get_extension<bouncesim::models::dma_extension>();
        accesses++;
        if (keep)
            log.push_back({payload.get_address(), payload.get_data_length(), ext.space,
                           ext.data_bytes, delay.value()});
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }
};
