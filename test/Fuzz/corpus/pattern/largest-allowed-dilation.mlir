attn.pattern @p() {
  %x = attn.window left(1099511627776) dilation(1099511627776)
  attn.yield %x
}
