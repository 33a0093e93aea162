attn.pattern @p() {
  %x = attn.block_local 9223372036854775807 before(9223372036854775807) after(9223372036854775807)
  attn.yield %x
}
