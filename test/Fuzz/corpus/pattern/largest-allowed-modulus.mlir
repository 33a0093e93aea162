attn.pattern @p() {
  %x = attn.congruent (query - key) mod(1099511627776) from(1099511627775) to(1099511627775)
  attn.yield %x
}
