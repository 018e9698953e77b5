# What is missing is said in one line with the Debian package that brings it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(Boost_NO_BOOST_CMAKE OFF)
find_package(Boost 1.74 QUIET COMPONENTS program_options json iostreams)
if(NOT Boost_FOUND)
  message(FATAL_ERROR "bouncesim: Boost is missing; install libboost-program-options1.81-dev "
                      "libboost-json1.81-dev libboost-iostreams1.81-dev")
endif()

pkg_check_modules(systemc QUIET IMPORTED_TARGET systemc)
set(BOUNCESIM_HAVE_SYSTEMC ${systemc_FOUND})
if(NOT systemc_FOUND)
  message(STATUS "bouncesim: SystemC is missing, --engine systemc is left out; "
                 "install libsystemc-dev")
endif()

pkg_check_modules(tomlplusplus QUIET IMPORTED_TARGET tomlplusplus)
if(NOT tomlplusplus_FOUND)
  message(STATUS "bouncesim: toml++ is missing, gen reads no specs, and there are no platform "
                 "files; install libtomlplusplus-dev")
endif()

pkg_check_modules(libpcap QUIET IMPORTED_TARGET libpcap)
if(NOT libpcap_FOUND)
  message(STATUS "bouncesim: libpcap is missing, pcap and pcapng are left out; install libpcap-dev")
endif()

# Loaded when a trace.dat is read, so neither built nor linked against.
find_library(libtracecmd NAMES libtracecmd.so.1 tracecmd)
mark_as_advanced(libtracecmd)
if(NOT libtracecmd)
  message(STATUS "bouncesim: libtracecmd is missing, trace.dat is refused until it is there; "
                 "install libtracecmd1")
endif()
