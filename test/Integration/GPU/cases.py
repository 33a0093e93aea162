# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cases of the GPU tests: fast and telling ones first. Those of linear attention are in linear_cases.py."""

import dataclasses
import math
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from arguments import (
    ARGUMENTS, USUAL, a_third, duplicates, fixed, of_heads, outside, outside_blocks, outside_lengths, repeated)
from attn import ONE_SEQUENCE
from judge import Outputs
from kernel import Kernel, PreparedCall
from memory import LAYOUTS, Layout
from objects import PATTERNS, PERIODIC, STAGED, TEST_PATTERNS, Object, objects_for
from problems import Problem, Trial, Wrong, drawn_blocks, same_bits, synchronize
from refusals import (
    GPU_REFUSALS, REFUSALS, Change, expect_no_such_device, expect_other_handle_refused, expect_refusal, name_of,
    shorten_segments)

Ratios = tuple[float, float]  # of output and lse
NONE: Ratios = (0.0, 0.0)


class Case(NamedTuple):
    made: Object
    label: str
    run: Callable[[Kernel], Ratios]  # raises Wrong
    is_taken: bool = True  # whether the pattern takes a call of these sizes


def judged(made: Object, problem: Problem) -> Case:
    return case(made, "", Trial.run, problem)


def pairwise(made: Object, problem: Problem) -> Case:
    """Which pairs are admitted, one by one. Small queries and keys keep all weights away from 0."""
    keys = problem.rows().kv_length
    heads = max(1, -(-keys // (made.value_head_size or made.head_size)))
    problem = dataclasses.replace(problem, heads=heads, kv_heads=None, size=0.5)
    return case(made, f"pairs {problem}", Trial.run_for_pairs, problem)


def case(made: Object, label: str, run: Callable[[Trial], Ratios | None], problem: Problem) -> Case:
    """A case that does something of its own with a trial; None: there was nothing to judge."""
    usual = dataclasses.replace(problem, arguments={**USUAL.get(made.pattern, {}), **problem.arguments})
    return Case(made, label or str(problem), lambda kernel: run(Trial(kernel, made, usual)) or NONE,
                is_taken(made.pattern, usual))


def is_taken(pattern: str, problem: Problem) -> bool:
    rows, given = problem.rows(), problem.arguments
    if pattern == "neighborhood" and rows.key_offset + rows.kv_length <= given["width"] * (given["rows"] - 1):
        return False
    # A pattern over one sequence counts from position 0.
    return pattern not in ONE_SEQUENCE or (rows.kv_length == rows.length and rows.key_offset >= 0)


# ----------------------------------------------------------------------------------------------------------------------
# Sizes, layouts and numbers
# ----------------------------------------------------------------------------------------------------------------------

BOTH = {"batch": 2, "heads": 4, "kv_heads": 2}

# Lengths that differ, offsets, shards, negative positions, rows without keys, and no rows at all.
AWKWARD = [
    Problem(1, 200), Problem(200, 1), Problem(300, 513), Problem(513, 300), Problem(33, 700, query_offset=5),
    Problem(130, 270, query_offset=100, key_offset=60), Problem(270, 130, query_offset=-10, key_offset=-3),
    Problem(140, key_offset=25), Problem(140, query_offset=25), Problem(20, 600, query_offset=400),
    Problem(190, 130, query_offset=20, key_offset=150), Problem(125, query_offset=-130, key_offset=-130),
    Problem(17, 0), Problem(0, 17), Problem(129, 65, query_offset=64), Problem(100, batch=0), Problem(64, 2000),
    Problem(1, heads=16, query_offset=9999, key_offset=9999),
]

# What only the GPU takes: the CPU refuses it.
OUTSIDE = [
    (Object("longformer"), {"global_": outside}, "ATTN_ERROR_TOKEN"),
    (Object("padded"), {"lengths": outside_lengths}, "ATTN_ERROR_LENGTH"),
    (Object("longformer_heads"), {"dilation": of_heads(0, 3, -7), "left": of_heads(40, -1)}, "ATTN_ERROR_PER_HEAD"),
    (Object("bigbird"), {"random": outside_blocks}, "ATTN_ERROR_BLOCKS"),
]

# Keys that the judged rows do not see, so far from those that they see that no tile holds both.
UNSEEN = [
    (Object("padded"), Problem(1000, arguments={"lengths": fixed(300)}, unseen=(600, 1000))),
    (Object("sliding_window"), Problem(64, 4096, unseen=(0, 3200))),
    (Object("causal"), Problem(128, 2048, query_offset=1000, unseen=(1400, 2048))),
    (Object("block_local"), Problem(1000, unseen=(800, 1000), judged=(0, 256))),
    (Object("document"), Problem(2000, arguments={"segments": repeated((0, 700), (1, 600), (2, 700))},
                                 unseen=(1300, 2000), judged=(0, 440))),
]


# Where a sequence's rows end, others of the same memory follow, as in a cache that is not yet full.
ROOM_AFTER_ROWS = [Layout("room-after-rows", row_gap=222), Layout("room-after-odd-rows", row_gap=222, column_gap=1)]


def with_element(made: Object, elements: list[str], index: int = 0) -> Object:
    return made._replace(element=elements[index % len(elements)])


def smoke(objects: list[Object]) -> Iterator[Case]:
    for made in objects:
        yield judged(made, Problem(257, **BOTH))
        if not made.score:
            yield pairwise(made, Problem(257, batch=2))
    for made in objects:
        yield judged(made, Problem(1000, **BOTH))


def awkward_sizes(elements: list[str]) -> Iterator[Case]:
    for pattern in PATTERNS + TEST_PATTERNS:
        for index, problem in enumerate(AWKWARD):
            made = with_element(Object(pattern, (64, 128)[index % 2]), elements, index // 2)
            yield judged(made, problem)
            yield pairwise(made, problem)


def chosen_tiles(objects: list[Object]) -> Iterator[Case]:
    for made in objects:
        for problem in AWKWARD[:8] + [Problem(1000, **BOTH), Problem(3000, heads=16, kv_heads=4)]:
            yield judged(made, problem)


def scattered_tokens(elements: list[str]) -> Iterator[Case]:
    """Queries of one tile whose windows are far apart."""
    tokens = {"tokens": fixed(0, 300, 5000)}
    for index, length in enumerate((5001, 5120, 5500, 6000)):
        made = with_element(Object("listed_window", (64, 128)[index % 2]), elements, index // 2)
        yield judged(made, Problem(length, arguments=tokens))
        yield pairwise(made, Problem(length, arguments=tokens))


def arguments(elements: list[str]) -> Iterator[Case]:
    for pattern, choices in ARGUMENTS.items():
        for index, chosen in enumerate(choices):
            made = with_element(Object(pattern), elements, index)
            for problem in (Problem(1000, arguments=chosen, **BOTH), Problem(190, 129, arguments=chosen, **BOTH)):
                yield judged(made, problem)
                yield pairwise(made._replace(head_size=128), problem)


# Periods that divide the length and that do not, shorter and longer than it, and keys that begin inside of one.
PERIODS = [
    Problem(1003, **BOTH), Problem(1024, batch=2), Problem(130, 270, query_offset=100, key_offset=60),
    Problem(513, 1300), Problem(700, key_offset=-11, query_offset=-13), Problem(40, **BOTH),
    Problem(777, with_lse=False, **BOTH), Problem(600, scale=-0.25), Problem(600, scale=0.0),
    Problem(300, layout=LAYOUTS[0], **BOTH), Problem(300, layout=LAYOUTS[4], **BOTH)]


def periods(elements: list[str]) -> Iterator[Case]:
    for pattern in PERIODIC:
        for index, problem in enumerate(PERIODS):
            made = with_element(Object(pattern, (64, 128)[index % 2]), elements, index // 2)
            yield judged(made, problem)
            yield pairwise(made, dataclasses.replace(problem, with_lse=True))
    for stride in (3, 48, 96, 128):
        for problem in (Problem(960), Problem(1000), Problem(500, 1003), Problem(64, 4000, key_offset=stride // 2)):
            for pattern in ("sparse_strided", "sparse_fixed", "summaries"):
                chosen = dataclasses.replace(problem, arguments={"stride": stride})
                yield judged(with_element(Object(pattern), elements), chosen)
                yield pairwise(with_element(Object(pattern), elements), chosen)


def blocks(elements: list[str]) -> Iterator[Case]:
    """Blocks that are tiles, parts of tiles, several tiles and none of it, whole ones and others at the end."""
    for index, size in enumerate((64, 16, 128, 40, 1, 300)):
        for problem in (Problem(1003, **BOTH), Problem(1024, batch=2), Problem(600, key_offset=37),
                        Problem(777, with_lse=False, **BOTH), Problem(4 * size), Problem(300, layout=LAYOUTS[0], **BOTH),
                        Problem(300, layout=LAYOUTS[4], **BOTH)):
            chosen = dataclasses.replace(problem, arguments={"block": size, "random": drawn_blocks(size)})
            yield judged(with_element(Object("bigbird", (64, 128)[index % 2]), elements, index // 2), chosen)
            yield pairwise(with_element(Object("bigbird", (64, 128)[index % 2]), elements, index // 2),
                           dataclasses.replace(chosen, with_lse=True))


# Width of the image, its rows, and the window. Windows wider than a tile of keys come strip by strip.
IMAGES = [(128, 16, 7, 7), (128, 14, 13, 13), (100, 20, 7, 7), (5, 80, 5, 5), (8, 40, 1, 3), (23, 9, 9, 23),
          (100, 9, 3, 90), (64, 20, 13, 13), (200, 5, 5, 1)]


def images(elements: list[str]) -> Iterator[Case]:
    """Rows of images that are whole and that are not, and keys that begin where a row does and inside of one."""
    for index, (width, rows, high, wide) in enumerate(IMAGES):
        arguments = {"width": width, "rows": high, "columns": wide}
        made = with_element(Object("neighborhood", (64, 128)[index % 2]), elements, index // 2)
        for problem in (Problem(width * rows, **BOTH), Problem(width * rows - width // 3, batch=2),
                        Problem(width * rows, key_offset=width, with_lse=False),
                        Problem(width * rows, key_offset=width // 2), Problem(width * rows, layout=LAYOUTS[4])):
            chosen = dataclasses.replace(problem, arguments=arguments)
            yield judged(made, chosen)
            yield pairwise(made, dataclasses.replace(chosen, with_lse=True))
    for problem in (Problem(64 * 40, **BOTH), Problem(64 * 33), Problem(64 * 33 - 7)):
        for head_size in (64, 128):
            yield judged(with_element(Object("image_2d", head_size), elements), problem)
            yield pairwise(with_element(Object("image_2d", head_size), elements), problem)


# Rows of 13 elements in the memory of 16: tensor maps take them.
PADDED_ROWS = Layout("rows-gap-3", column_gap=3)


def stages(objects: list[Object]) -> Iterator[Case]:
    for made in objects:
        for problem in (Problem(1003, **BOTH), Problem(300, with_lse=False), Problem(150, nan_query=133),
                        Problem(257, layout=PADDED_ROWS, **BOTH)):
            yield judged(made, problem)


def layouts(elements: list[str]) -> Iterator[Case]:
    for layout in LAYOUTS:
        for index, made in enumerate((Object("causal"), Object("longformer", 128), Object("document", 64))):
            yield judged(with_element(made, elements, index), Problem(300, layout=layout, **BOTH))
        for element in dict.fromkeys((elements[0], elements[-1])) if not layout.base else ():
            yield judged(Object("causal", 40, element), Problem(200, layout=layout, **BOTH))
    for layout in ROOM_AFTER_ROWS:
        for index, pattern in enumerate(("full", "causal", "sliding_window", "padded", "longformer")):
            made = with_element(Object(pattern, (64, 128)[index % 2]), elements, index)
            yield judged(made, Problem(300, 290, layout=layout, **BOTH))
    yield judged(with_element(Object("causal"), elements), Problem(300, batch=3, shared_keys=True))
    yield judged(with_element(Object("full", 128), elements), Problem(300, with_lse=False))
    yield judged(with_element(Object("longformer"), elements), Problem(300, with_lse=False))


def run_with_equal_scores(trial: Trial) -> Ratios:
    """All values are 1, and so is every output: exactly, or in f32 but for what rounding sums of so many weights
    comes to that are nearly 1. lse is the score plus the logarithm of the number of keys, to some units in its last
    place."""
    query, key = 10, 8
    for tensor, number in ((trial.q, query), (trial.k, key), (trial.v, 1)):
        tensor.view.fill_(number)
    trial.prepare().run()
    synchronize(trial.device)
    trial.check_surroundings()
    off = 1e-4 if trial.kernel.dtype == torch.float32 else 0
    if not bool(((trial.output.view - 1).abs() <= off).all()):
        raise Wrong(f"outputs from {trial.output.view.min().item()} to {trial.output.view.max().item()}, not 1")
    lse = query * key * math.sqrt(trial.kernel.head_size) + math.log(trial.rows.kv_length)
    return 0.0, float((trial.lse.view.double() - lse).abs().max()) / (2e-6 * lse)


def numbers(elements: list[str]) -> Iterator[Case]:
    for index, pattern in enumerate(("full", "causal", "longformer", "document")):
        made = with_element(Object(pattern, (64, 128)[index % 2]), elements, index)
        for scale in (1.0, 0.0, -0.25, 1e-6, math.nan):
            yield judged(made, Problem(500, scale=scale))
        for size in (8, 60):  # scores up to 1e4
            yield judged(made, Problem(500, size=size))
    for made, problem in UNSEEN:
        yield judged(with_element(made, elements), problem)
    for pattern in ("full", "causal"):
        yield judged(with_element(Object(pattern), elements), Problem(300, nan_query=133))
    yield judged(with_element(Object("causal"), elements), Problem(300, 200, scale=math.nan))
    for head_size in (64, 128):
        for element in elements:
            yield case(Object("full", head_size, element), "equal scores", run_with_equal_scores, Problem(16384))


def scores(objects: list[Object]) -> Iterator[Case]:
    """Rows and keys that differ, in number and position, heads that share keys, and rows without keys."""
    for made in objects:
        yield judged(made, Problem(130, 270, query_offset=100, key_offset=60, batch=2))
        yield judged(made, Problem(190, 130, query_offset=20, key_offset=150))
        yield judged(made, Problem(500, scale=0.0))
        if made.pattern == "causal":
            yield judged(made, Problem(300, 400, batch=2, heads=6, kv_heads=3))
            yield judged(made, Problem(300, scale=-0.25, shared_arrays=True))
            yield judged(made, Problem(6, 1, query_offset=5, key_offset=0))


def chosen_scores(elements: list[str]) -> Iterator[Case]:
    for element in elements:
        yield judged(Object("causal", 64, element, "softcap"), Problem(700, size=8, score_arguments={"cap": 5.0}))
        for logits in ((-math.inf, 3.0), (30.0, -30.0), (-math.inf, -math.inf)):
            for problem in (Problem(200), Problem(100, 40), Problem(64, 0), Problem(150, scale=0.0)):
                for score in ("sink", "far_and_sink"):
                    made = Object("causal", 64, element, score)
                    yield judged(made, dataclasses.replace(problem, score_arguments={"logits": logits}))


def many_heads(elements: list[str]) -> Iterator[Case]:
    yield judged(with_element(Object("causal"), elements), Problem(128, batch=32, heads=64, kv_heads=8))
    yield judged(with_element(Object("document"), elements), Problem(100, batch=64, heads=16, kv_heads=1))


# Every head has pairs of its own: masks of all heads and pairs would not fit at the largest length.
HEADS_DIFFER = {"bigbird": 4096, "longformer_heads": 4096}


def lengths(objects: list[Object], chosen: tuple[int, ...]) -> Iterator[Case]:
    for length in chosen:
        for made in objects:
            # One number alone may be what eager attention has no error in.
            yield judged(made, Problem(length, heads=16 if length == 1 else 1))
            yield pairwise(made, Problem(min(length, HEADS_DIFFER.get(made.pattern, length))))


# ----------------------------------------------------------------------------------------------------------------------
# Shards, reruns, graphs, streams and threads
# ----------------------------------------------------------------------------------------------------------------------

RERUNS = 20


def merge(parts: list[Outputs]) -> Outputs:
    """Of the same query rows over disjoint keys."""
    lses = torch.stack([part.lse.double() for part in parts])
    total = torch.logsumexp(lses, 0)
    weights = torch.exp(lses - total.masked_fill(total == -torch.inf, 0))
    return Outputs(sum(weight[..., None] * part.output for weight, part in zip(weights, parts)), total)


def run_in_shards(trial: Trial) -> Ratios:
    """Keys in three parts, queries in two, each a call of its own."""
    q, k, v = trial.tensors()
    length, kv_length = q.shape[2], k.shape[2]
    rows = []
    for begin, end in ((0, length // 3), (length // 3, length)):
        parts = []
        for first, last in ((0, 200), (200, 201), (201, kv_length)):
            options = {**trial.options(), "query_offset": kv_length - length + begin, "key_offset": first}
            call = trial.kernel.prepare(q[:, :, begin:end], k[:, :, first:last], v[:, :, first:last], **options)
            parts.append(Outputs(*call.run()))
        rows.append(merge(parts))
    return trial.judge(Outputs(*(torch.cat(both, 2) for both in zip(*rows))))


def rerun(trial: Trial) -> Ratios:
    call = trial.prepare()
    results = []
    for _ in range(RERUNS):
        trial.clear_outputs()
        call.run()
        results.append(trial.bits())
    equal = sum(same_bits(results[0], result) for result in results)
    if equal != RERUNS:
        raise Wrong(f"{equal} of {RERUNS} runs gave the bits of the first")
    return trial.judge()


def captured(run: Callable[[], object]) -> torch.cuda.CUDAGraph:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph


def replay_graph(trial: Trial) -> Ratios:
    """Captures a call and replays it over other numbers, run-time data too."""
    call = trial.prepare()
    graph = captured(call.run)
    trial.draw_tensors()
    trial.arguments = trial.draw_arguments()
    for tensor, info in zip(call.kept[5:], trial.kernel.tensors[5:]):
        name = info.name.decode()
        drawn = trial.arguments.get(name, trial.arguments.get(f"{name}_"))
        if tensor is not None:
            tensor.copy_(torch.as_tensor(drawn))
    for _ in range(3):
        trial.clear_outputs()
        graph.replay()
    torch.cuda.synchronize()
    trial.check_surroundings()
    return trial.judge()


def run_one_after_another(trial: Trial) -> Ratios:
    """The second call's query is the first one's output: started together, and as a graph, they give what they give
    one by one."""
    first = trial.prepare()
    second = trial.kernel.prepare(first.output, *trial.tensors()[1:], **trial.options())

    def start_both() -> None:
        first.run()
        second.run()

    first.run()
    synchronize(trial.device)
    alone, _ = second.run()
    alone = alone.clone()
    for start in (start_both, captured(start_both).replay) if trial.kernel.is_gpu else (start_both,):
        for _ in range(RERUNS):
            trial.clear_outputs()
            second.output.fill_(math.nan)
            start()
            if not torch.equal(second.output, alone):
                raise Wrong("the second call gives something else right after the first")
    return trial.judge()


def start_often(call: PreparedCall, stream: torch.cuda.Stream) -> None:
    with torch.cuda.stream(stream):
        for _ in range(RERUNS):
            call.run()


def run_side_by_side(trial: Trial) -> Ratios:
    """Two problems at a time, on threads and streams of their own, each of which has to give what it gives alone."""
    trials = trial, Trial(trial.kernel, trial.made, Problem(900, heads=8, arguments=trial.problem.arguments))
    calls = [each.prepare() for each in trials]
    alone = []
    for each, call in zip(trials, calls):
        call.run()
        alone.append(each.bits())
        each.clear_outputs()
    torch.cuda.synchronize()
    threads = [threading.Thread(target=start_often, args=(call, torch.cuda.Stream())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.cuda.synchronize()
    if not all(same_bits(bits, each.bits()) for bits, each in zip(alone, trials)):
        raise Wrong("calls on two streams disturb each other")
    return trial.judge()


def shards(elements: list[str]) -> Iterator[Case]:
    for index, pattern in enumerate(("causal", "sliding_window", "longformer", "document", "block_local",
                                     "dilated_window", "sparse_strided_heads", "prefix_lm")):
        made = with_element(Object(pattern, (64, 128)[index % 2]), elements, index)
        yield case(made, "shards merged by lse", run_in_shards, Problem(500, 700, **BOTH))


def reruns(objects: list[Object]) -> Iterator[Case]:
    for made in objects:
        yield case(made, f"{RERUNS} reruns", rerun, Problem(1500, **BOTH))


def in_a_row(elements: list[str]) -> Iterator[Case]:
    """Patterns of one, two and three phases."""
    for index, (pattern, arguments) in enumerate((
            ("causal", {}), ("longformer", {"global_": fixed(*range(16))}),
            ("two_lists", {"first": fixed(*range(0, 4000, 100)), "second": fixed(*range(3000, 3100))}))):
        made = with_element(Object(pattern, (64, 128)[index % 2]), elements, index)
        yield case(made, "one call after another", run_one_after_another, Problem(4000, heads=4, arguments=arguments))


def graphs_and_streams() -> Iterator[Case]:
    for pattern in ("full", "causal", "longformer", "two_lists", "document", "padded"):
        tokens = {"longformer": {"global_": duplicates}, "two_lists": {"first": duplicates, "second": a_third}}
        data = tokens.get(pattern, {})
        yield case(Object(pattern), "graph replay", replay_graph, Problem(700, arguments=data, **BOTH))
        yield case(Object(pattern), "two streams and threads", run_side_by_side, Problem(1300, heads=3, arguments=data))


# ----------------------------------------------------------------------------------------------------------------------
# Refusals, and what only the host would refuse
# ----------------------------------------------------------------------------------------------------------------------


def run_with_outside_data(expected: str) -> Callable[[Trial], Ratios]:
    """Data out of range count as absent, and the workspace says so."""

    def run(trial: Trial) -> Ratios:
        call = trial.prepare()
        call.run()
        torch.cuda.synchronize()
        if name_of(call.device_status()) != expected:
            raise Wrong(f"the workspace says {name_of(call.device_status())}, not {expected}")
        trial.check_surroundings()
        return trial.judge()

    return run


def refusals(elements: list[str], is_gpu: bool) -> Iterator[Case]:
    """A call of longformer, or of the pattern that can go wrong so."""
    longformer, document = (with_element(Object(pattern), elements) for pattern in ("longformer", "document"))
    data = {"global_": duplicates}

    def refused(made: Object, name: str, change: Change, status: str, problem: Problem) -> Case:
        return case(made, f"refuses {name}", lambda trial: expect_refusal(trial, change, status), problem)

    for name, change, status in REFUSALS + (GPU_REFUSALS if is_gpu else []):
        yield refused(longformer, name, change, status, Problem(300, arguments=data, **BOTH))
    yield refused(document, "a segment too few", shorten_segments, "ATTN_ERROR_SEGMENTS", Problem(300, **BOTH))
    for pattern, problem, status in (("axial", Problem(300, 301), "ATTN_ERROR_KV_LENGTH"),
                                     ("neighborhood", Problem(64), "ATTN_ERROR_REQUIREMENT")):
        made = with_element(Object(pattern), elements)
        yield refused(made, "these sizes", lambda call: None, status, problem)._replace(is_taken=True)
    if is_gpu:
        yield case(longformer, "refuses another kernel's handle", expect_other_handle_refused, Problem(300, **BOTH))
        yield case(longformer, "refuses GPU 99", expect_no_such_device, Problem(1))
        for made, chosen, status in OUTSIDE:
            problem = Problem(600, arguments=chosen, **BOTH)
            yield case(made, f"passes over {status}", run_with_outside_data(status), problem)


# ----------------------------------------------------------------------------------------------------------------------
# All
# ----------------------------------------------------------------------------------------------------------------------


def all_cases(target: str, is_quick: bool) -> Iterator[Case]:
    return (case for case in cases_of_any_size(target, is_quick) if case.is_taken)


def cases_of_any_size(target: str, is_quick: bool) -> Iterator[Case]:
    objects = [made for made in objects_for(target, "check") if not made.kernel]
    is_gpu = target != "cpu"
    elements = list(dict.fromkeys(made.element for made in objects))
    plain = [made for made in objects if made == Object(made.pattern, made.head_size, made.element)]
    main = [made for made in plain if made.head_size in (64, 128) and made.pattern in PATTERNS]
    yield from smoke(objects)
    yield from refusals(elements, is_gpu)
    if is_quick:
        return
    yield from periods(elements)
    yield from blocks(elements)
    yield from images(elements)
    yield from stages([made for made in objects if made in STAGED])
    yield from arguments(elements)
    yield from layouts(elements)
    yield from scores([made for made in objects if made.score])
    yield from chosen_scores(elements)
    yield from numbers(elements)
    yield from awkward_sizes(elements)
    yield from chosen_tiles([made for made in objects if made.tile])
    yield from scattered_tokens(elements)
    yield from shards(elements)
    yield from in_a_row(elements)
    if is_gpu:
        yield from graphs_and_streams()
    yield from reruns(main)
    yield from many_heads(elements)
    yield from lengths(main, (1, 100))
    yield from lengths([made for made in main if made == Object(made.pattern)], (8192,))
