attn.pattern @p(%l: index = 9223372036854775807) {
  %x = attn.window left(%l) right(9223372036854775807)
  attn.yield %x
}
