# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cases of linear attention."""

import math
from collections.abc import Callable, Iterator

import torch
from attn_mlir import abi
from cases import AWKWARD, BOTH, NONE, RERUNS, Case, Ratios, captured, rerun, run_in_shards
from linear import LinearProblem, LinearTrial
from memory import LAYOUTS
from objects import Object, objects_for
from problems import Wrong, synchronize
from refusals import expect_refusal, set_tensor, shrink_workspace, use_host_memory

STATE_IN, STATE_OUT = 5, 6
AWKWARD_PROBLEMS = [LinearProblem(**vars(problem)) for problem in AWKWARD]


def case(made: Object, problem: LinearProblem, label: str = "",
         run: Callable[[LinearTrial], Ratios | None] = LinearTrial.run) -> Case:
    return Case(made, label or str(problem), lambda kernel: run(LinearTrial(kernel, made, problem)) or NONE)


def run_with_other_later_rows(trial: LinearTrial) -> None:
    """Whatever stands in rows from `cut` on, the rows before it are the same, bit by bit."""
    trial.prepare().run()
    synchronize(trial.device)
    before = [tensor.view.clone() for tensor in (trial.output, trial.lse)]
    for cut in (1, 3, 8, 60, 64, 65, 100, 128, trial.rows.length - 1):
        for number in (5.0, math.nan, math.inf):
            trial.draw_again()
            for tensor in (trial.q, trial.k, trial.v):
                tensor.view[:, :, cut:] = number
            trial.prepare().run()
            synchronize(trial.device)
            after = trial.output, trial.lse
            if not all(torch.equal(x[:, :, :cut], y.view[:, :, :cut]) for x, y in zip(before, after)):
                raise Wrong(f"rows before {cut} change with what follows them")


def run_in_parts(trial: LinearTrial) -> Ratios:
    """Rows and keys in three calls, the state handed on: the last may be written where it is read."""
    tensors, options = trial.tensors(), trial.options()
    state, outputs, length = options.pop("state_in"), [], trial.rows.length
    options |= {"query_offset": None, "key_offset": 0}
    for begin, end in ((0, 1), (1, length // 2), (length // 2, length)):
        after = state if end == length else torch.empty_like(state)
        part = [x[:, :, begin:end] for x in tensors]
        kernel = trial.kernel
        outputs.append(kernel(*part, **{**options, "state_in": state, "state_out": after}))
        state = after
    synchronize(trial.device)
    trial.state_of(trial.state_out).copy_(state)
    trial.draw_again()
    trial.output.view.copy_(torch.cat([output for output, _ in outputs], 2))
    trial.lse.view.copy_(torch.cat([lse for _, lse in outputs], 2))
    return trial.judge()


def replay_graph(trial: LinearTrial) -> Ratios:
    """Captures a call and replays it over other numbers."""
    graph = captured(trial.prepare().run)
    trial.draw_tensors()
    for _ in range(3):
        trial.clear_outputs()
        graph.replay()
    torch.cuda.synchronize()
    trial.check_surroundings()
    return trial.judge()


def refusals(made: Object, is_gpu: bool) -> Iterator[Case]:
    bf16 = abi.CONSTANTS["ATTN_BF16"]
    changes = [("a state of rank 3", set_tensor(STATE_IN, "rank", 3), "ATTN_ERROR_RANK"),
               ("a state of 16 bits", set_tensor(STATE_OUT, "element", bf16), "ATTN_ERROR_ELEMENT"),
               ("a workspace a byte short", shrink_workspace, "ATTN_ERROR_WORKSPACE")]
    if is_gpu:
        changes += [(f"a {name} of the host", use_host_memory(tensor), "ATTN_ERROR_MEMORY")
                    for tensor, name in ((STATE_IN, "state to read"), (STATE_OUT, "state to write"))]
    for name, change, status in changes:
        yield case(made, LinearProblem(300, **BOTH), f"refuses {name}",
                   lambda trial, change=change, status=status: expect_refusal(trial, change, status))


def linear_cases(target: str, is_quick: bool) -> Iterator[Case]:
    objects = [made for made in objects_for(target, "check") if made.kernel]
    main = [made for made in objects if made == Object("linear", 64, made.element, kernel=made.kernel)]
    causal = [made for made in main if made.kernel != "linear"]
    is_gpu = target != "cpu"
    for made in objects:
        yield case(made, LinearProblem(257, **BOTH))
    yield from refusals(main[0], is_gpu)
    if is_quick:
        return
    for made in objects:
        yield case(made, LinearProblem(1000, 1100, **BOTH))
        yield case(made, LinearProblem(500, 300, query_offset=20, key_offset=150, state_in=False))
    for made in main:
        for problem in AWKWARD_PROBLEMS:
            yield case(made, problem)
        for length in (1, 63, 64, 65, 127, 128, 129):
            yield case(made, LinearProblem(length, heads=16, state_in=False))
        yield case(made, LinearProblem(300, state_out=False, with_lse=False, **BOTH))
        yield case(made, LinearProblem(300, transposed=True, **BOTH))
        for size in (8, 60):
            yield case(made, LinearProblem(500, size=size))
    for index, layout in enumerate(LAYOUTS):
        yield case(main[index % len(main)], LinearProblem(300, layout=layout, **BOTH))
    for made in causal:
        yield case(made, LinearProblem(150, heads=2), "later rows", run_with_other_later_rows)
        yield case(made, LinearProblem(333, **BOTH), "three parts", run_in_parts)
    for made in main:
        yield case(made, LinearProblem(1500, **BOTH), f"{RERUNS} reruns", rerun)
        if made.kernel == "linear":
            yield case(made, LinearProblem(500, 700, state_in=False, state_out=False, **BOTH),
                       "shards merged by lse", run_in_shards)
        if is_gpu:
            yield case(made, LinearProblem(700, **BOTH), "graph replay", replay_graph)
        yield case(made, LinearProblem(16384, heads=1))
