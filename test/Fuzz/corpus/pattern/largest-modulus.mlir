attn.pattern @p() {
  %x = attn.congruent (query - key) mod(9223372036854775807) from(9223372036854775806) to(9223372036854775806)
  attn.yield %x
}
