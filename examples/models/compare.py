# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What longformer.py and bigbird.py share: a model of transformers beside the same model with its attention replaced.
Values are judged by what float64 makes of the model, time is taken in turns, and peak memory in a process of its own
for each.
"""

import argparse
import contextlib
import copy
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

import attn_mlir.transformers

IMPLEMENTATIONS = ("transformers", "attn_mlir")
PARTS = ("attention layer", "whole layer")


@contextlib.contextmanager
def double_softmax() -> Iterator[None]:
    """Some layers ask for a softmax in float32 whatever they compute in; float64 shall stay float64."""
    softmax = torch.nn.functional.softmax

    def keep_double(x: torch.Tensor, *places: Any, dtype: torch.dtype | None = None, **options: Any) -> torch.Tensor:
        return softmax(x, *places, dtype=None if x.dtype == torch.float64 else dtype, **options)

    torch.nn.functional.softmax = keep_double
    try:
        yield
    finally:
        torch.nn.functional.softmax = softmax


def run(model: torch.nn.Module, **inputs: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(**inputs)[0]


def run_in_double(model: torch.nn.Module, **inputs: Any) -> torch.Tensor:
    with double_softmax():
        return run(copy.deepcopy(model).double(), **inputs)


def error_ratio(computed: torch.Tensor, eager: torch.Tensor, exact: torch.Tensor) -> float:
    """At most 1 where f32 outputs are right: the largest error may be ten times that of the model's own attention, and
    two units in the last place of the largest output."""
    allowed = 10 * (eager - exact).abs().max() + 2 * torch.finfo(torch.float32).eps * exact.abs().max()
    return ((computed - exact).abs().max() / allowed).item()


def replaced(model: torch.nn.Module) -> torch.nn.Module:
    """A copy with its attention on kernels."""
    other = copy.deepcopy(model)
    attn_mlir.transformers.replace_attention(other)
    return other


# ----------------------------------------------------------------------------------------------------------------------
# Measurements of one layer
# ----------------------------------------------------------------------------------------------------------------------


class _Reached(Exception):
    pass


def layer_call(model: Any, inputs: dict[str, Any], part: str) -> Callable[[], Any]:
    """The call that the model makes of its first layer, or of the attention in it; nothing of either has run yet."""
    layer = model.encoder.layer[0]
    module = layer.attention if part == "attention layer" else layer
    given: list[Any] = []

    def catch(_: Any, arguments: Any, options: Any) -> None:
        given.extend([arguments, options])
        raise _Reached

    hook = module.register_forward_pre_hook(catch, with_kwargs=True)
    with contextlib.suppress(_Reached):
        run(model, **inputs)
    hook.remove()
    arguments, options = given

    def call() -> Any:
        with torch.no_grad():
            return module(*arguments, **options)

    return call


def time_in_turns(calls: dict[str, Callable[[], Any]], repeat: int) -> dict[str, float]:
    """Milliseconds in the median."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(times[1:]) for name, times in taken.items()}


def _resident(field: str) -> int:
    """KiB of this process: VmRSS now, VmHWM at most."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def growth(call: Callable[[], Any]) -> float:
    """By how many MiB this process grew at most during a call."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as references:
        references.write("5")  # the most begins anew
    before = _resident("VmRSS")
    call()
    return (_resident("VmHWM") - before) / 1024


def measure_growth(part: str, name: str, options: argparse.Namespace) -> float:
    """growth() in a new process. Large arrays are mapped each by itself there, so that what is freed is given back."""
    command = [sys.executable, sys.argv[0], f"--length={options.length}", f"--threads={options.threads}",
               f"--chunk={options.chunk}", f"--grow={name}", f"--part={part}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"})
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout)


# ----------------------------------------------------------------------------------------------------------------------
# The program
# ----------------------------------------------------------------------------------------------------------------------


def _parse(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--length", type=int, default=4096, help="tokens (4096)")
    parser.add_argument("--layers", type=int, default=2, help="layers of the model that is compared (2)")
    parser.add_argument("--repeat", type=int, default=5, help="timed calls of each; 0: no measurements")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch and attn_mlir take by themselves")
    parser.add_argument("--chunk", type=int, default=0, help="rows that the feed-forward of both models takes at a "
                        "time, transformers' option chunk_size_feed_forward; 0: all, its default")
    parser.add_argument("--grow", choices=IMPLEMENTATIONS, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=PARTS, default=PARTS[0], help=argparse.SUPPRESS)
    return parser.parse_args()


def _print_part(part: str, models: dict[str, Any], inputs: dict[str, Any], options: argparse.Namespace) -> None:
    calls = {name: layer_call(model, inputs, part) for name, model in models.items()}
    theirs, ours = time_in_turns(calls, options.repeat).values()
    more, less = (measure_growth(part, name, options) for name in models)
    print(f"{part}: transformers {theirs:.0f} ms and {more:.0f} MiB, attn_mlir {ours:.0f} ms and {less:.0f} MiB: "
          f"{theirs / ours:.1f} x faster, {less / more:.2f} of the memory")


def main(description: str, make_model: Callable[[int], Any], make_inputs: Callable[[int], dict[str, Any]]) -> int:
    """make_model(layers), make_inputs(length). Exit code: 0 the outputs are equal, 1 they are not."""
    options = _parse(description)
    if options.threads:
        torch.set_num_threads(options.threads)
        os.environ["ATTN_MLIR_THREADS"] = str(options.threads)
    inputs = make_inputs(options.length)

    def make(layers: int) -> Any:
        model = make_model(layers)
        for layer in model.encoder.layer:
            layer.chunk_size_feed_forward = options.chunk
        return model

    if options.grow:
        model = make(1)
        model = replaced(model) if options.grow == "attn_mlir" else model
        print(growth(layer_call(model, inputs, options.part)))
        return 0
    models = dict(zip(IMPLEMENTATIONS, (model := make(options.layers), replaced(model))))
    eager, computed = (run(each, **inputs) for each in models.values())
    ratio = error_ratio(computed, eager, run_in_double(model, **inputs))
    print(f"{options.layers} layers, {options.length} tokens: largest difference {(computed - eager).abs().max():.1e}, "
          f"error ratio {ratio:.2f} (1 is the tolerance)")
    for part in PARTS if options.repeat else ():
        _print_part(part, models, inputs, options)
    return 0 if ratio <= 1 else 1
