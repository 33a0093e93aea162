# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the form of two lists of visits: tiles of a phase and box do not overlap; both visit the same phases and boxes.

    check_visits.py BY-QUERY.json BY-KEY.json
"""

import json
import sys


def overlap(a, b):
    return max(a[0], b[0]) < min(a[1], b[1])


def boxes(path):
    with open(path) as file:
        visits = json.load(file)
    assert visits
    for n, visit in enumerate(visits):
        assert set(visit) == {"phase", "box", "queries", "keys", "class"}
        assert visit["class"] in ("full", "boundary")
        assert visit["queries"][0] < visit["queries"][1]
        assert visit["keys"][0] < visit["keys"][1]
        for other in visits[:n]:
            if (visit["phase"], visit["box"]) == (other["phase"], other["box"]):
                assert not (
                    overlap(visit["queries"], other["queries"])
                    and overlap(visit["keys"], other["keys"])
                ), (visit, other)
    return {(visit["phase"], visit["box"]) for visit in visits}


assert boxes(sys.argv[1]) == boxes(sys.argv[2])
