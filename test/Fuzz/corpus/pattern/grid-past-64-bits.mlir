attn.pattern @p() {
  %a, %b, %c, %d = attn.grid [1099511627776, 1099511627776, 1099511627776]
  %x = attn.neighborhood 1099511627776 on %b
  attn.yield %x
}
