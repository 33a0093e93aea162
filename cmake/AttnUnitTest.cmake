# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# attn_add_test_runner(TARGET RESULTS DEPENDS targets... COMMAND command...): TARGET runs a command that writes
# results/RESULTS.xml in the build tree. results/RESULTS.running stays where the command fails, so that a crash or a
# leak found at exit is counted too. The command finds the binaries through ATTN_BIN, the sources through ATTN_SOURCE.
#
# attn_add_unit_test(NAME sources... LIBS libs... [SHARDS n]): a GoogleTest program. AttnUnitTests builds all of them,
# check-attn-unit-NAME runs this one, check-attn-unit all. With SHARDS, n processes share its tests.

include_guard()

set(ATTN_TEST_ENVIRONMENT
  ATTN_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
  ATTN_SOURCE=${PROJECT_SOURCE_DIR}
  PYTHONDONTWRITEBYTECODE=1)
if(ATTN_SANITIZE)
  # Why user poisoning is off: LLVM's allocators, inlined from its headers, poison memory that the uninstrumented
  # libLLVM then hands out without unpoisoning it.
  list(APPEND ATTN_TEST_ENVIRONMENT
    ASAN_OPTIONS=allow_user_poisoning=0
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    ASAN_SYMBOLIZER_PATH=${LLVM_TOOLS_BINARY_DIR}/llvm-symbolizer
    UBSAN_SYMBOLIZER_PATH=${LLVM_TOOLS_BINARY_DIR}/llvm-symbolizer)
endif()

add_custom_target(AttnUnitTests)
add_custom_target(check-attn-unit)

function(attn_add_test_runner target results)
  cmake_parse_arguments(ARG "USES_TERMINAL" "" "DEPENDS;COMMAND" ${ARGN})
  set(results ${PROJECT_BINARY_DIR}/results/${results})
  get_filename_component(folder ${results} DIRECTORY)
  if(ARG_USES_TERMINAL)
    set(terminal USES_TERMINAL)
  endif()
  add_custom_target(${target}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${results}.xml
    COMMAND ${CMAKE_COMMAND} -E touch ${results}.running
    COMMAND ${CMAKE_COMMAND} -E env ${ATTN_TEST_ENVIRONMENT} ${ARG_COMMAND}
    COMMAND ${CMAKE_COMMAND} -E rm ${results}.running
    DEPENDS ${ARG_DEPENDS}
    COMMENT "Running ${target}"
    COMMAND_EXPAND_LISTS VERBATIM ${terminal})
endfunction()

# attn_add_gtest_runner(TARGET PROGRAM RESULTS environment...)
function(attn_add_gtest_runner target program results)
  attn_add_test_runner(${target} unit/${results}
    DEPENDS ${program}
    COMMAND ${ARGN} $<TARGET_FILE:${program}> --gtest_brief=1
            --gtest_output=xml:${PROJECT_BINARY_DIR}/results/unit/${results}.xml)
endfunction()

function(attn_add_unit_test name)
  cmake_parse_arguments(ARG "" "SHARDS" "LIBS" ${ARGN})
  add_executable(${name} EXCLUDE_FROM_ALL ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest_main)
  add_dependencies(AttnUnitTests ${name})
  set(runner check-attn-unit-${name})
  if(NOT ARG_SHARDS)
    attn_add_gtest_runner(${runner} ${name} ${name})
  else()
    add_custom_target(${runner})
    math(EXPR last "${ARG_SHARDS} - 1")
    foreach(shard RANGE ${last})
      attn_add_gtest_runner(${runner}-${shard} ${name} ${name}-${shard}
        GTEST_TOTAL_SHARDS=${ARG_SHARDS} GTEST_SHARD_INDEX=${shard})
      add_dependencies(${runner} ${runner}-${shard})
    endforeach()
  endif()
  add_dependencies(check-attn-unit ${runner})
endfunction()
