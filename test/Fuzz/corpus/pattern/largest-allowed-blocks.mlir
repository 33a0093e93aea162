attn.pattern @p() {
  %x = attn.block_local 1099511627776 before(1099511627776) after(1099511627776)
  attn.yield %x
}
