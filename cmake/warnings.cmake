# One interface target carries the warnings; third-party headers come in as SYSTEM and stay quiet.
add_library(bouncesim_warnings INTERFACE)
set(common -Wall -Wextra -Wpedantic -Wshadow -Wcast-align -Wpointer-arith -Wconversion
    -Wno-sign-conversion -Wundef)
set(c_only -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition)
target_compile_options(bouncesim_warnings INTERFACE
  ${common} "$<$<COMPILE_LANGUAGE:C>:${c_only}>")
if(BOUNCESIM_WERROR)
  target_compile_options(bouncesim_warnings INTERFACE -Werror)
endif()
if(BOUNCESIM_SANITIZE)
  add_compile_options(-fsanitize=${BOUNCESIM_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BOUNCESIM_SANITIZE})
endif()
