# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C ABI of attn.h for ctypes: its structs, constants and statuses, read out of the header itself, which is the only
place that describes them."""

import ctypes
import re
from pathlib import Path

HEADER = Path(__file__).parents[2] / "include" / "attn" / "Runtime" / "attn.h"
TEXT = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)

NUMBERS = {"int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
           "size_t": ctypes.c_size_t, "double": ctypes.c_double}


def read_constants() -> dict[str, int]:
    """#define NAME VALUE and all enumerators."""
    found = {name: int(value) for name, value in re.findall(r"#define (ATTN_\w+) (\d+)u?$", TEXT, re.MULTILINE)}
    enumerator = re.compile(r"(ATTN_\w+)(?:\s*=\s*(\d+)u?(?:\s*<<\s*(\d+))?)?\s*(?:,|$)")
    for body in re.findall(r"enum\s*\w*\s*\{(.*?)\}", TEXT, re.DOTALL):
        value = -1
        for name, given, shift in enumerator.findall(body.strip()):
            value = int(given) << int(shift or 0) if given else value + 1
            found[name] = value
    return found


def read_field(declaration: str, known: dict[str, type]) -> tuple[str, type]:
    """`const attn_tensor *tensors` → ("tensors", c_void_p). All pointers but those to text are void pointers."""
    if function := re.search(r"\(\*(\w+)\)", declaration):
        return function[1], ctypes.c_void_p
    kind, stars, name, size = re.fullmatch(r"(?:const )?(\w+) (\**)(\w+)(?:\[(\w+)\])?", declaration).groups()
    if stars:
        return name, ctypes.c_char_p if kind == "char" else ctypes.c_void_p
    return name, known[kind] * CONSTANTS[size] if size else known[kind]


def read_structs() -> dict[str, type]:
    known: dict[str, type] = dict(NUMBERS)
    for keyword, name, body in re.findall(r"typedef (struct|union) (\w+) \{(.*?)\n\} \2;", TEXT, re.DOTALL):
        declarations = [" ".join(part.split()) for part in body.split(";") if part.strip()]
        base = ctypes.Structure if keyword == "struct" else ctypes.Union
        known[name] = type(name, (base,), {"_fields_": [read_field(part, known) for part in declarations]})
    return known


def read_status_texts() -> dict[int, str]:
    """What attn_error_string says."""
    cases = re.findall(r"case (ATTN_\w+):\s*return \"(.*?)\";", TEXT)
    return {CONSTANTS[name]: text for name, text in cases}


CONSTANTS = read_constants()
STRUCTS = read_structs()
STATUS_TEXTS = read_status_texts()

Tensor, Scalar, Call = STRUCTS["attn_tensor"], STRUCTS["attn_scalar"], STRUCTS["attn_call"]
TensorInfo, ScalarInfo = STRUCTS["attn_tensor_info"], STRUCTS["attn_scalar_info"]
KernelInfo = STRUCTS["attn_kernel_info"]
