# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls that a kernel has to refuse: what is changed in a right call, and the status that names it."""

from collections.abc import Callable

import torch
from attn_mlir import abi
from kernel import Kernel, KernelError, PreparedCall
from objects import Object
from problems import Trial, Wrong, synchronize

Change = Callable[[PreparedCall], None]


def set_field(name: str, value: int | None) -> Change:
    return lambda call: setattr(call.call, name, value)


def change_shape(tensors: tuple[int, ...], axis: int, extent: int) -> Change:
    def change(call: PreparedCall) -> None:
        for tensor in tensors:
            call.tensors[tensor].shape[axis] = extent

    return change


def set_tensor(tensor: int, name: str, value: int | None) -> Change:
    return lambda call: setattr(call.tensors[tensor], name, value)


def shift_data(tensor: int) -> Change:
    def change(call: PreparedCall) -> None:
        call.tensors[tensor].data += 1

    return change


def set_last_stride(call: PreparedCall) -> None:
    call.tensors[0].strides[3] = 2


def set_negative_window(call: PreparedCall) -> None:
    call.scalars[0].index = -1


def shift_workspace(call: PreparedCall) -> None:
    call.call.workspace += 32


def shrink_workspace(call: PreparedCall) -> None:
    call.call.workspace_bytes -= 1


def shorten_segments(call: PreparedCall) -> None:
    segments = call.tensors[5]
    segments.shape[segments.rank - 1] -= 1


def use_host_memory(tensor: int) -> Change:
    def change(call: PreparedCall) -> None:
        call.host = torch.zeros_like(call.kept[tensor], device="cpu")
        call.tensors[tensor].data = call.host.data_ptr()

    return change


def use_host_workspace(call: PreparedCall) -> None:
    call.use_workspace(torch.zeros(call.call.workspace_bytes + 64, dtype=torch.uint8), call.call.workspace_bytes)


Q, K, V, O = range(4)
# Longformer has tokens, two windows and a workspace; 2 batches, 4 heads, 2 key heads, 300 rows.
REFUSALS: list[tuple[str, Change, str]] = [
    ("another version", set_field("version", abi.CONSTANTS["ATTN_ABI_VERSION"] + 1), "ATTN_ERROR_VERSION"),
    ("another size", set_field("size", 8), "ATTN_ERROR_VERSION"),
    ("3 tensors", set_field("tensor_count", 3), "ATTN_ERROR_TENSOR_COUNT"),
    ("99 tensors", set_field("tensor_count", 99), "ATTN_ERROR_TENSOR_COUNT"),
    ("99 scalars", set_field("scalar_count", 99), "ATTN_ERROR_SCALAR_COUNT"),
    ("no tensors", set_field("tensors", None), "ATTN_ERROR_NULL_DATA"),
    ("no query", set_tensor(Q, "data", None), "ATTN_ERROR_NULL_DATA"),
    ("int32 query", set_tensor(Q, "element", abi.CONSTANTS["ATTN_I32"]), "ATTN_ERROR_ELEMENT"),
    ("key at an odd address", shift_data(K), "ATTN_ERROR_ALIGNMENT"),
    ("value of rank 3", set_tensor(V, "rank", 3), "ATTN_ERROR_RANK"),
    ("key of 3 batches", change_shape((K,), 0, 3), "ATTN_ERROR_SHAPE"),
    ("-1 query rows", change_shape((Q,), 2, -1), "ATTN_ERROR_SHAPE"),
    ("2^41 key rows", change_shape((K, V), 2, 1 << 41), "ATTN_ERROR_SHAPE"),
    ("output of 299 rows", change_shape((O,), 2, 299), "ATTN_ERROR_SHAPE"),
    ("columns 2 apart", set_last_stride, "ATTN_ERROR_STRIDE"),
    ("56 columns", change_shape((Q,), 3, 56), "ATTN_ERROR_HEAD_SIZE"),
    ("3 key heads", change_shape((K, V), 1, 3), "ATTN_ERROR_HEADS"),
    ("window -1", set_negative_window, "ATTN_ERROR_SCALAR"),
    ("no workspace", set_field("workspace", None), "ATTN_ERROR_WORKSPACE"),
    ("workspace 32 bytes on", shift_workspace, "ATTN_ERROR_WORKSPACE"),
    ("workspace a byte short", shrink_workspace, "ATTN_ERROR_WORKSPACE"),
]
GPU_REFUSALS: list[tuple[str, Change, str]] = [
    ("no handle", set_field("handle", None), "ATTN_ERROR_HANDLE"),
    *((f"{name} of the host", use_host_memory(tensor), "ATTN_ERROR_MEMORY")
      for tensor, name in enumerate(("query", "key", "value", "output", "lse", "tokens"))),
    ("workspace of the host", use_host_workspace, "ATTN_ERROR_MEMORY"),
]


STATUSES = {name for name in abi.CONSTANTS if name.startswith(("ATTN_OK", "ATTN_ERROR"))}


def name_of(status: int) -> str:
    names = [name for name, value in abi.CONSTANTS.items() if value == status and name in STATUSES]
    return names[0] if names else f"{status}"


def expect_refusal(trial: Trial, change: Change, expected: str) -> None:
    """The status, and nothing written."""
    call = trial.prepare()
    change(call)
    status = call.status()
    synchronize(trial.device)
    if name_of(status) != expected:
        raise Wrong(f"status {name_of(status)}, not {expected}")
    if not all(tensor.is_untouched() for tensor in (trial.output, trial.lse, trial.workspace)):
        raise Wrong("a refused call wrote something")


def expect_other_handle_refused(trial: Trial) -> None:
    other = Kernel(Object("full").file(trial.kernel.path.parent))
    expect_refusal(trial, set_field("handle", other.handle.value), "ATTN_ERROR_HANDLE")
    other.unload()


def expect_no_such_device(trial: Trial) -> None:
    try:
        Kernel(trial.kernel.path, device=99)
    except KernelError as error:
        if name_of(error.status) != "ATTN_ERROR_DEVICE":
            raise Wrong(f"status {name_of(error.status)}, not ATTN_ERROR_DEVICE") from None
        return
    raise Wrong("there is no GPU 99, but it was loaded")
