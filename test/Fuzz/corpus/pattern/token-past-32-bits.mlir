attn.pattern @p(%t: !attn.tokens = [9223372036854775807]) {
  %x = attn.global %t
  attn.yield %x
}
