attn.pattern @p() {
  %x = attn.window left(9223372036854775807) dilation(9223372036854775807)
  attn.yield %x
}
