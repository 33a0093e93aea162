attn.pattern @p(%l: index = 1099511627776) {
  %x = attn.window left(%l) right(1099511627776)
  attn.yield %x
}
