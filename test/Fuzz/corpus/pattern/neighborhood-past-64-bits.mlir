attn.pattern @p() {
  %a, %b, %c, %d = attn.grid [4611686018427387904, 4611686018427387904, 4611686018427387904]
  %x = attn.neighborhood 9223372036854775807 on %b
  attn.yield %x
}
