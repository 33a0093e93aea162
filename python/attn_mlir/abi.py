# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C ABIs of attn.h and attn-c.h for ctypes: structs, constants and statuses, read out of the headers themselves,
which are the only place that describes them."""

import ctypes
import re
from pathlib import Path

_OWN = Path(__file__).parent / "include" / "attn"
# Of the package as it is installed; as it lies in the project's tree, the headers are the tree's.
INCLUDE = _OWN if _OWN.exists() else Path(__file__).resolve().parents[2] / "include" / "attn"

_NUMBERS = {"int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
            "size_t": ctypes.c_size_t, "double": ctypes.c_double}


def _read(header: str) -> str:
    return re.sub(r"/\*.*?\*/", "", (INCLUDE / header).read_text(), flags=re.DOTALL)


def _read_constants(text: str) -> dict[str, int]:
    """#define NAME VALUE and all enumerators."""
    found = {name: int(value) for name, value in re.findall(r"#define (ATTN_\w+) (\d+)u?$", text, re.MULTILINE)}
    enumerator = re.compile(r"(ATTN_\w+)(?:\s*=\s*(-?\d+)u?(?:\s*<<\s*(\d+))?)?\s*(?:,|$)")
    for body in re.findall(r"enum\s*\w*\s*\{(.*?)\}", text, re.DOTALL):
        value = -1
        for name, given, shift in enumerator.findall(body.strip()):
            value = int(given) << int(shift or 0) if given else value + 1
            found[name] = value
    return found


def _read_field(declaration: str, known: dict[str, type]) -> tuple[str, type]:
    """`const attn_tensor *tensors` → ("tensors", c_void_p). Pointers are void pointers, but for constant text."""
    if function := re.search(r"\(\*(\w+)\)", declaration):
        return function[1], ctypes.c_void_p
    constant, kind, stars, name, size = re.fullmatch(
        r"(const )?(\w+) (\**)(\w+)(?:\[(\w+)\])?", declaration).groups()
    if stars:
        return name, ctypes.c_char_p if kind == "char" and constant else ctypes.c_void_p
    return name, known[kind] * CONSTANTS[size] if size else known[kind]


def _read_structs(text: str) -> dict[str, type]:
    known: dict[str, type] = dict(_NUMBERS)
    for keyword, name, body in re.findall(r"typedef (struct|union) (\w+) \{(.*?)\n\} \2;", text, re.DOTALL):
        declarations = [" ".join(part.split()) for part in body.split(";") if part.strip()]
        base = ctypes.Structure if keyword == "struct" else ctypes.Union
        known[name] = type(name, (base,), {"_fields_": [_read_field(part, known) for part in declarations]})
    return known


def _read_status_texts(text: str) -> dict[int, str]:
    """What attn_error_string says."""
    cases = re.findall(r"case (ATTN_\w+):\s*return ((?:\s*\".*?\")+);", text)
    return {CONSTANTS[name]: "".join(re.findall(r"\"(.*?)\"", parts)) for name, parts in cases}


_TEXT = _read("Runtime/attn.h") + _read("Compiler/attn-c.h")

CONSTANTS = _read_constants(_TEXT)
STATUS_TEXTS = _read_status_texts(_TEXT)
_STRUCTS = _read_structs(_TEXT)

VERSION = CONSTANTS["ATTN_ABI_VERSION"]
OK = CONSTANTS["ATTN_OK"]

Tensor, Scalar, Call = _STRUCTS["attn_tensor"], _STRUCTS["attn_scalar"], _STRUCTS["attn_call"]
TensorInfo, ScalarInfo = _STRUCTS["attn_tensor_info"], _STRUCTS["attn_scalar_info"]
RequirementInfo, KernelInfo = _STRUCTS["attn_requirement_info"], _STRUCTS["attn_kernel_info"]
CompileOptions, Bytes = _STRUCTS["attn_compile_options"], _STRUCTS["attn_bytes"]

QUERY, KEY, VALUE, OUTPUT, LSE = range(5)
FIRST_DATA = LSE + 1  # run-time data stand behind these five


def constant(name: str) -> int:
    """The value of ATTN_NAME."""
    return CONSTANTS[f"ATTN_{name}"]


ELEMENTS = {name: constant(name.upper()) for name in ("f32", "bf16", "f16", "i32")}
NAMES_OF_ELEMENTS = {number: name for name, number in ELEMENTS.items()}
# Roles of run-time data that hold floats; the others are int32.
FLOAT_ROLES = {constant("ARRAY"), constant("STATE_IN"), constant("STATE_OUT")}
