attn.pattern @p() {
  %r, %c = attn.grid [9223372036854775807]
  %x = attn.window left(9223372036854775807) on %c
  attn.yield %x
}
