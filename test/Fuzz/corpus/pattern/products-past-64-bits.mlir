attn.pattern @p(%l: index = 5) {
  %c = arith.constant 4611686018427387904 : index
  %m = arith.muli %l, %c : index
  %n = arith.muli %c, %c : index
  %y = arith.addi %m, %n : index
  %x = attn.window left(%y) right(%n)
  attn.yield %x
}
