# What most files include, parsed once. For the sanitizer builds, which only CI makes, and whole; the
# others go without, so that a file that forgets an include is found.
option(SLUICE_PRECOMPILED_HEADERS "Parse common headers once (for builds from nothing)" OFF)

# sluice_precompiled(TARGET HEADERS): TARGET uses what the target HEADERS has parsed, and
# the options that HEADERS was compiled with.
function(sluice_precompiled TARGET HEADERS)
  if(SLUICE_PRECOMPILED_HEADERS)
    target_precompile_headers(${TARGET} REUSE_FROM ${HEADERS})
    get_target_property(options ${HEADERS} INTERFACE_COMPILE_OPTIONS)
    if(options)
      target_compile_options(${TARGET} PRIVATE ${options})
    endif()
  endif()
endfunction()

if(NOT SLUICE_PRECOMPILED_HEADERS)
  return()
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")  # So that ccache knows them again.
endif()
file(WRITE ${CMAKE_BINARY_DIR}/nothing.cc "")
set(headers
  <algorithm> <array> <chrono> <functional> <map> <memory> <optional> <string> <string_view>
  <unordered_map> <vector> <fmt/format.h> <nlohmann/json.hpp> <absl/status/statusor.h>
  <sluice/v1/admin_service.pb.h> <sluice/v1/control_service.pb.h> <sluice/v1/snapshot.pb.h>)
add_library(sluice_headers STATIC ${CMAKE_BINARY_DIR}/nothing.cc)
# The same definitions as every module has.
target_link_libraries(sluice_headers PUBLIC sluice_proto fmt::fmt spdlog::spdlog
                      nlohmann_json::nlohmann_json)
target_precompile_headers(sluice_headers PRIVATE ${headers})
add_library(sluice_test_headers STATIC ${CMAKE_BINARY_DIR}/nothing.cc)
target_link_libraries(sluice_test_headers PUBLIC sluice_headers GTest::gmock_main)
target_compile_options(sluice_test_headers PUBLIC -O0)  # Tests are compiled more often than run.
target_precompile_headers(sluice_test_headers PRIVATE ${headers} <gtest/gtest.h> <gmock/gmock.h>)
