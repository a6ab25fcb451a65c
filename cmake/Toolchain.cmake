set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(SLUICE_FUZZ "Build the fuzzers with libFuzzer (needs clang)" OFF)
set(SLUICE_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined or thread")

add_compile_options(-pthread -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
                    -fno-omit-frame-pointer -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict)  # g++ 12 reports std::string concatenation (GCC bug 105651).
endif()

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 reports false positives of these under sanitizers.
    add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow)
  elseif(SLUICE_SANITIZE MATCHES "address")
    add_compile_definitions(__SANITIZE_ADDRESS__)  # As g++ says it; clang has only __has_feature.
  endif()
endif()
if(SLUICE_SANITIZE STREQUAL "thread")
  # ThreadSanitizer knows no fences: Asio then orders its operations by atomics alone.
  add_compile_options(-Wno-tsan -DBOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
if(SLUICE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # With paths relative to the checkout, one clone's results serve the next.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
                                  CCACHE_NOHASHDIR=true
                                  CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND NOT SLUICE_FUZZ AND NOT CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  add_link_options(-fuse-ld=mold)
endif()
