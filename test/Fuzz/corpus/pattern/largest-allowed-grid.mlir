attn.pattern @p() {
  %r, %c = attn.grid [1099511627776]
  %x = attn.window left(1099511627776) on %c
  attn.yield %x
}
