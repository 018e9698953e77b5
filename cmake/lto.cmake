# The models and the core call each other in steps of a few instructions, which one compiler run
# over both inlines. Objects hold both forms: what is not named here links as quickly as without.
set(BOUNCESIM_LTO OFF)
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_ID STREQUAL GNU
   AND CMAKE_BUILD_TYPE STREQUAL Release AND NOT BOUNCESIM_SANITIZE)
  set(BOUNCESIM_LTO ON)
  add_link_options(-fno-lto)
endif()

function(bouncesim_lto_objects library)
  if(BOUNCESIM_LTO)
    target_compile_options(${library} PRIVATE -flto=auto -ffat-lto-objects)
  endif()
endfunction()

function(bouncesim_lto_link program)
  if(BOUNCESIM_LTO)
    target_link_options(${program} PRIVATE -flto=auto)
  endif()
endfunction()
