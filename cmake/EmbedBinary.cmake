# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# attn_embed_binary(SYMBOL INPUT OUTPUT): generates a C file OUTPUT that holds the bytes of INPUT as
#
#   extern const unsigned char SYMBOL[];
#   extern const size_t SYMBOLSize;
#
# Why not #embed or .incbin: a compiler cache does not see the embedded file; the generated source holds it all.

if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${INPUT} bytes HEX)
  file(SIZE ${INPUT} size)
  string(REGEX REPLACE "[0-9a-f][0-9a-f]" "0x\\0," bytes "${bytes}")
  file(WRITE ${OUTPUT}
"#include <stddef.h>
extern const unsigned char ${SYMBOL}[];
extern const size_t ${SYMBOL}Size;
const size_t ${SYMBOL}Size = ${size};
_Alignas(16) const unsigned char ${SYMBOL}[] = {
${bytes}
};
")
  return()
endif()

include_guard()
set(ATTN_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(attn_embed_binary symbol input output)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D SYMBOL=${symbol} -D INPUT=${input} -D OUTPUT=${output} -P ${ATTN_EMBED_SCRIPT}
    DEPENDS ${input} ${ATTN_EMBED_SCRIPT}
    COMMENT "Embedding ${symbol}" VERBATIM)
endfunction()
