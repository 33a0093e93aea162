# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# attn_add_library(NAME sources... LIBS libs... DEPENDS targets...): one room of the project. Rooms are static
# libraries over the shared libMLIR and libLLVM, and share one precompiled header of MLIR's largest headers.

function(attn_add_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "LIBS;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LIBS} MLIR LLVM)
  attn_install_libraries(Compiler ${name})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  if(NOT ARG_NO_PCH)
    target_precompile_headers(${name} REUSE_FROM AttnPrecompiled)
    target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

# attn_install_libraries(PART targets...): libraries of a part of package Attn, which calls them Attn::NAME.
function(attn_install_libraries part)
  install(TARGETS ${ARGN} EXPORT Attn${part}Targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# attn_add_tool(NAME sources... LIBS libs...): a program in bin.
function(attn_add_tool name)
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  install(TARGETS ${name})
endfunction()
