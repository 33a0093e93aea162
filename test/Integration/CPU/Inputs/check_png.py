# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads a PNG of 8-bit RGB with the standard library alone and checks its size and pixels.

    check_png.py PICTURE.png WIDTHxHEIGHT [X,Y=RRGGBB | X,Y=X,Y | X,Y!X,Y]...

The last two compare pixels: of the same colour, of different ones.
"""

import re
import struct
import sys
import zlib


def chunks(data: bytes):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG signature"
    at = 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += size + 12


def paeth(left: int, up: int, corner: int) -> int:
    """The neighbour that is nearest to left + up - corner."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda near: abs(guess - near))


def undo_filter(kind: int, line: bytearray, above: bytes) -> None:
    """Adds to each byte what its line's filter took away."""
    for i in range(len(line)):
        left, corner = (line[i - 3], above[i - 3]) if i >= 3 else (0, 0)
        predicted = (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))[kind]
        line[i] = (line[i] + predicted) % 256


def pixels(path: str) -> tuple[int, list[bytes]]:
    with open(path, "rb") as file:
        parts = list(chunks(file.read()))
    width, height, depth, colours = struct.unpack(">IIBB", dict(parts)[b"IHDR"][:10])
    assert (depth, colours) == (8, 2), "not 8-bit RGB"
    raw = zlib.decompress(b"".join(part for kind, part in parts if kind == b"IDAT"))
    lines, above = [], bytes(3 * width)
    for y in range(height):
        start = y * (3 * width + 1)
        line = bytearray(raw[start + 1 : start + 1 + 3 * width])
        undo_filter(raw[start], line, above)
        above = bytes(line)
        lines.append(above)
    return width, lines


width, lines = pixels(sys.argv[1])
assert sys.argv[2] == f"{width}x{len(lines)}", f"{width}x{len(lines)}"


def pixel(place: str) -> str:
    x, y = map(int, place.split(","))
    return lines[y][3 * x : 3 * x + 3].hex()


for claim in sys.argv[3:]:
    place, sign, other = re.split("([=!])", claim)
    colour = pixel(other) if "," in other else other
    assert (pixel(place) == colour) == (sign == "="), f"{claim}: {pixel(place)} and {colour}"
