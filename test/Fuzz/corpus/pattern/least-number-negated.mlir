attn.pattern @p() {
  %c = arith.constant -9223372036854775808 : index
  %z = arith.constant 0 : index
  %q = arith.subi %z, %c : index
  %r = arith.subi %q, %c : index
  %x = attn.range columns from(%r) below(%c)
  attn.yield %x
}
