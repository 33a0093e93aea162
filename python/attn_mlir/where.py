# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""attn.where: the pairs for which a function of Python says so.

The function is called once, with values that stand for batch, head, query and key position. What it computes of them is
written down, and becomes the op's region; so it can compute, compare and combine, but not branch.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from .algebra import Parameter, Pattern, Result, make_atom

# No parameter's name has a dot.
_ARGUMENTS = ("pair.b", "pair.h", "pair.q", "pair.k")
_EXTENTS = ("batch", "heads", "kv_heads", "queries", "keys")
_COMPARISONS = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}


class Traced:
    """A value of the region: an op's text, with {} for each operand."""

    def __init__(self, text: str, *operands: Any):
        self.text, self.operands = text, operands

    def __bool__(self) -> bool:
        raise TypeError("a value of attn.where is not known yet; combine with &, | and ~ instead of and, or, not and "
                        "if, and compare two at a time")

    __hash__ = object.__hash__


class Truth(Traced):
    """Whether something holds of a pair."""

    def __and__(self, other: Any) -> "Truth":
        return Truth("arith.andi {}, {} : i1", self, _as_truth(other))

    def __or__(self, other: Any) -> "Truth":
        return Truth("arith.ori {}, {} : i1", self, _as_truth(other))

    def __xor__(self, other: Any) -> "Truth":
        return Truth("arith.xori {}, {} : i1", self, _as_truth(other))

    def __invert__(self) -> "Truth":
        return self ^ True

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__


class Number(Traced):
    """A whole number of a pair."""

    def __add__(self, other: Any) -> "Number":
        return Number("arith.addi {}, {} : index", self, _as_number(other))

    def __sub__(self, other: Any) -> "Number":
        return Number("arith.subi {}, {} : index", self, _as_number(other))

    def __mul__(self, other: Any) -> "Number":
        return Number("arith.muli {}, {} : index", self, _as_number(other))

    def __floordiv__(self, other: Any) -> "Number":
        """Python's, rounded down; by 0 it gives 0."""
        return Number("arith.floordivsi {}, {} : index", self, _as_number(other))

    def __mod__(self, other: Any) -> "Number":
        """Python's, of the divisor's sign."""
        divisor = _as_number(other)
        return self - self // divisor * divisor

    def __rsub__(self, other: Any) -> "Number":
        return _as_number(other) - self

    def __rfloordiv__(self, other: Any) -> "Number":
        return _as_number(other) // self

    def __rmod__(self, other: Any) -> "Number":
        return _as_number(other) % self

    def __neg__(self) -> "Number":
        return 0 - self

    def __abs__(self) -> "Number":
        return Number("arith.maxsi {}, {} : index", self, -self)

    __radd__, __rmul__ = __add__, __mul__


class Real(Traced):
    """An entry of an array, which can be compared."""


def _define_comparisons() -> None:
    def define(name: str, predicate: str) -> None:
        def compare_numbers(self: Number, other: Any) -> Truth:
            return Truth(f"arith.cmpi {predicate}, {{}}, {{}} : index", self, _as_number(other))

        def compare_reals(self: Real, other: Any) -> Truth:
            ordered = "une" if name == "ne" else f"o{name}"
            return Truth(f"arith.cmpf {ordered}, {{}}, {{}} : f32", self, _as_real(other))

        setattr(Number, f"__{name}__", compare_numbers)
        setattr(Real, f"__{name}__", compare_reals)

    for name, predicate in _COMPARISONS.items():
        define(name, predicate)
    Number.__hash__ = Real.__hash__ = Traced.__hash__  # which goes with __eq__


_define_comparisons()


def _refuse(value: Any, wanted: str) -> TypeError:
    return TypeError(f"a {type(value).__name__} in attn.where, where it takes {wanted}")


def _as_number(value: Any) -> Number:
    if isinstance(value, Number):
        return value
    if isinstance(value, (Parameter, Result)):
        if isinstance(value, Parameter) and value.type == "!attn.per_head":
            return Number("attn.of_head {}", value)
        return Number("", value)
    try:
        return Number(f"arith.constant {operator.index(value)} : index")
    except TypeError:
        raise _refuse(value, "whole numbers, parameters and what is computed of them") from None


def _as_real(value: Any) -> Real:
    if isinstance(value, Real):
        return value
    if isinstance(value, (int, float)) and math.isfinite(value):
        return Real(f"arith.constant {value:.9e} : f32")
    raise _refuse(value, "finite numbers and entries of arrays")


def _as_truth(value: Any) -> Truth:
    if isinstance(value, Truth):
        return value
    if isinstance(value, bool):
        return Truth(f"arith.constant {str(value).lower()}")
    raise _refuse(value, "comparisons and what is combined of them")


class Array:
    """An array of floats that attn.where reads; see array()."""

    def __init__(self, parameter: Parameter, rank: int):
        self._parameter, self._rank = parameter, rank

    def __getitem__(self, indices: Any) -> Real:
        places = indices if isinstance(indices, tuple) else (indices,)
        if len(places) != self._rank:
            raise TypeError(f"'{self._parameter.name}' has {self._rank} axes, not {len(places)}")
        numbers = tuple(map(_as_number, places))
        text = ", ".join(["{}"] * self._rank)
        return Real(f"attn.load {{}}[{text}] : {self._parameter.type}", self._parameter, *numbers)


def array(name: str, values: Any, *extents: str | int) -> Array:
    """Run-time data of floats that the function of where() reads at its own arguments.

        allowed = attn.array("allowed", matrix, "queries", "keys")
        pattern = attn.where(lambda b, h, q, k: allowed[q, k] > 0)

    values: float32, or what can be converted. extents: for each axis "batch", "heads", "kv_heads", "queries", "keys" or
    its length. An index has to be provably within its axis: b, h, q and k are within those of their own.
    """
    for extent in extents:
        if isinstance(extent, str) and extent not in _EXTENTS:
            raise ValueError(f"extent {extent!r}; use {', '.join(_EXTENTS)} or a number")
    kind = f"!attn.array<[{', '.join(map(str, extents))}]>"
    return Array(Parameter(name, kind, None, values), len(extents))


class _Region:
    """Writes ops once each, operands first. What comes from outside becomes {0}, {1}, ..."""

    def __init__(self, arguments: dict[Number, str]):
        self.names: dict[Any, str] = {argument: f"%{name}" for argument, name in arguments.items()}
        self.lines: list[str] = []
        self.captured: list[Any] = []

    def write(self, value: Any) -> str:
        if isinstance(value, Number) and not value.text and value.operands:
            return self.write(value.operands[0])
        if value not in self.names:
            if isinstance(value, Traced):
                operands = [self.write(operand) for operand in value.operands]
                name = f"%{len(self.lines)}"
                self.lines.append(f"    {name} = {value.text.format(*operands)}")
            else:
                name = f"{{{len(self.captured)}}}"
                self.captured.append(value)
            self.names[value] = name
        return self.names[value]


def where(f: Callable[[Any, Any, Any, Any], Any]) -> Pattern:
    """Pairs for which a function says so: the escape hatch, for what no atom says.

        pattern = attn.causal() & attn.where(lambda b, h, q, k: (q * k + h) % 3 != 0)

    f(b, h, q, k): of batch, query head and the positions of query and key. It is called once, with values that know
    +, -, *, //, %, abs and comparisons, whose results know &, | and ~. Functions for FlexAttention that do no more than
    this can be given. Numbers of the call are captured: attn.parameter(), attn.per_batch() and, for arrays,
    attn.array().

    Nothing is derived from a function: pairs are asked one by one, and reports sample their cost. What is a union of
    windows, blocks and the like is found by from_mask_mod(). Raises TypeError for what such values do not know.
    """
    arguments = {Number(""): name for name in _ARGUMENTS}
    answer = _as_truth(f(*arguments))
    region = _Region(arguments)
    result = region.write(answer)
    lines = "\n".join([f"attn.where ({', '.join(f'%{name}' for name in _ARGUMENTS)}) {{{{", *region.lines,
                       f"    attn.yield {result} : i1", "  }}"])
    return make_atom(lines, tuple(region.captured), "some")
