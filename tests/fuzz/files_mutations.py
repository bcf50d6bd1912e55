"""Mutations of the files of a run: bytes, tables of tensors, values, and JSON by its structure."""

from __future__ import annotations

import copy
import json
import random
import struct
from typing import Any, NamedTuple, final

import numpy

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 1000, 65_536, 2**20, 2**31 - 1, 2**31, 2**32),
    *(2**53, 2**63 - 1, 2**63, 2**64, 10**9, 10**30, 10**400, -(10**30), 0.0, -0.0, 0.5, 1.5, -1.5),
    *(1e-320, 1e-30, 1e30, 1e39, 1e300, -1e300, float("nan"), float("inf"), float("-inf")),
    *(
        "",
        "0",
        "x",
        "nan",
        "lstm",
        "h",
        "a/../../b",
        "\0",
        "\x1b[2J\x1b]0;t\x07",
        "\ud800",
        "é" * 9,
    ),
    *(
        "<script>alert(1)</script>",
        "[red]x[/blue]",
        "$\\frac{$",
        "\\input{x}",
        "{{ 7 * 7 }}",
        "a" * 999,
    ),
    *([], {}, [[]], [0], [None, None], {"": None}, {"kind": "Layer"}, [1, 2, 3, 4, 5]),
)
"""Values that take others' places."""

DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL", "F8_E4M3", "X", "")
NUMBERS = (float("nan"), float("inf"), -1.0, 0.0, 1e38, -1e38, 3.4e38, 1e-40, 1e6)


@final
class Stored(NamedTuple):
    """A file of safetensors, taken apart.

    Attributes:
        table: the header: for each tensor its dtype, shape and place, and ``__metadata__``.
        data: of the tensors.
    """

    table: dict[str, Any]
    data: bytes

    @classmethod
    def of(cls, file: bytes) -> Stored:
        """The parts of a whole file."""
        (size,) = struct.unpack("<Q", file[:8])
        return cls(json.loads(file[8 : 8 + size]), file[8 + size :])

    def joined(self, size: int | None = None, text: str | None = None) -> bytes:
        """The file; with another size or text of its header if they are given."""
        text = json.dumps(self.table) if text is None else text
        head = text.encode("utf-8", "surrogatepass")
        return struct.pack("<Q", len(head) if size is None else size % 2**64) + head + self.data


def mutated(file: bytes, draw: random.Random, spare: tuple[str, ...] = ()) -> bytes:
    """A file of safetensors as a stranger might hand it over.

    Args:
        file: that a run has written.
        draw: decides on everything.
        spare: the entries of the header that stay as they are.
    """
    own = b'"unrolled"' in file[:200_000]
    way = draw.choices((_bytes, _table, _tensors, _values, _header), (3, 3, 3, 2, 12 * own))[0]
    if way is _header:
        return _header(Stored.of(file), draw, spare)
    return way(file, draw) if way is _bytes else way(Stored.of(file), draw)


def mutated_text(text: bytes, draw: random.Random) -> bytes:
    """JSON, or lines of it, as a stranger might hand it over."""
    if draw.random() < 0.3:
        return _bytes(text, draw)
    lines = text.decode().splitlines() if text.count(b"\n{") else [text.decode()]
    place = draw.randrange(len(lines))
    lines[place] = _dumped(_changed(json.loads(lines[place]), draw), draw)
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def _bytes(file: bytes, draw: random.Random) -> bytes:
    data = bytearray(file)
    first, last = sorted(draw.randrange(len(data)) for _ in range(2))
    (head,) = struct.unpack("<Q", file[:8].ljust(8, b"\0"))
    way = draw.randrange(7)
    if way < 3:
        reach = min(len(data), 8 + head) if way else len(data)
        for _ in range(draw.choice((1, 1, 2, 8, 100))):
            data[draw.randrange(reach)] = draw.randrange(256)
    elif way == 3:
        del data[first:]
    elif way == 4:
        del data[first:last]
    elif way == 5:
        data[first:first] = data[first:last]
    else:
        data[first:last] = bytes(last - first)
    return bytes(data)


def _table(stored: Stored, draw: random.Random) -> bytes:
    """The header of safetensors itself."""
    if draw.random() < 0.2:
        return stored.joined(size=draw.choice((0, 1, 2**16, 2**31, 2**32, 2**63, 2**64 - 1, -9)))
    metadata = stored.table.pop("__metadata__", {})
    table = _changed(stored.table, draw)
    if isinstance(table, dict) and draw.random() < 0.9:
        table = {"__metadata__": metadata, **table}
    return stored.joined(text=_dumped(table, draw))


def _tensors(stored: Stored, draw: random.Random) -> bytes:
    """Tensors renamed, dropped, resized, of other types; places in the file are made to fit."""
    names = [name for name in stored.table if name != "__metadata__"]
    parts: dict[str, tuple[str, list[int], bytes]] = {}
    for name in names:
        entry = stored.table[name]
        start, end = entry["data_offsets"]
        parts[name] = entry["dtype"], entry["shape"], stored.data[start:end]
    for _ in range(draw.choice((1, 1, 2, 3))):
        name = draw.choice(names)
        if name not in parts:
            continue
        dtype, shape, data = parts[name]
        way = draw.randrange(7)
        if way == 0:
            del parts[name]
        elif way == 1:
            parts[draw.choice((*names, "weights/x", "x", "random/cuda", ""))] = parts.pop(name)
        elif way == 2:
            parts[name] = draw.choice(DTYPES), shape, data
        elif way == 3:
            parts[name] = dtype, draw.sample(shape, len(shape)), data
        elif way == 4:
            rows = draw.choice((0, 1, 2, 3, 17))
            each = len(data) // max(1, shape[0] if shape else 1)
            parts[name] = dtype, [rows, *shape[1:]], (data * rows)[: rows * each]
        elif way == 5:
            parts[name] = dtype, draw.choice(([], [0], [0, 2**40], [1, *shape], [2**63, 0])), data
        else:
            parts[draw.choice(("weights/new", "states/new", "optimizer/new/step"))] = parts[name]
    table: dict[str, Any] = {"__metadata__": stored.table.get("__metadata__", {})}
    whole = b""
    for name, (dtype, shape, data) in parts.items():
        offsets = [len(whole), len(whole) + len(data)]
        table[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        whole += data
    return Stored(table, whole).joined()


def _values(stored: Stored, draw: random.Random) -> bytes:
    """Numbers in tensors."""
    data = bytearray(stored.data)
    names = [name for name in stored.table if name != "__metadata__"]
    for _ in range(draw.choice((1, 1, 2, 5))):
        entry = stored.table[draw.choice(names)]
        start, end = entry["data_offsets"]
        size = 4 if entry["dtype"] == "F32" else 1
        count = (end - start) // size
        some = range(count) if draw.random() < 0.4 else draw.sample(range(count), min(3, count))
        value = draw.choice(NUMBERS)
        for place in some:
            new = numpy.float32(value).tobytes() if size == 4 else bytes([draw.randrange(256)])
            data[start + place * size : start + (place + 1) * size] = new
    return Stored(stored.table, bytes(data)).joined()


def _header(stored: Stored, draw: random.Random, spare: tuple[str, ...]) -> bytes:
    """What unrolled itself keeps beside the tensors."""
    header = json.loads(stored.table["__metadata__"]["unrolled"])
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        part = draw.choice([None, *(name for name in header if name not in spare)])
        if part is None:
            kept = {name: header[name] for name in spare if name in header}
            header = _changed({n: v for n, v in header.items() if n not in spare}, draw)
            header = {**header, **kept} if isinstance(header, dict) else header
        else:
            header[part] = _changed(header[part], draw)
        if not isinstance(header, dict):
            break
    stored.table["__metadata__"]["unrolled"] = _dumped(header, draw)
    return stored.joined()


def _places(data: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container in it with every key."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(pairs):
        found.append((data, key))
        if isinstance(value, (dict, list)):
            _places(value, found)
    return found


def _changed(data: Any, draw: random.Random) -> Any:
    """Parsed JSON with one change somewhere."""
    if not isinstance(data, (dict, list)) or not data or draw.random() < 0.03:
        return _other(data, draw)
    places = _places(data, [])
    container, key = draw.choice(places)
    way = draw.randrange(10)
    if way < 6:
        container[key] = _other(container[key], draw)
    elif way == 6:
        del container[key]
    elif way == 7 and isinstance(container, dict):
        container[draw.choice(("", "x", "kind", "a" * 99, *map(str, container)))] = container.pop(
            key
        )
    elif way == 8:
        other, place = draw.choice(places)
        copied = json.dumps(other.get(place) if isinstance(other, dict) else other[place])
        container[key] = json.loads(copied)
    elif isinstance(container, list):
        container.extend([container[key]] * draw.choice((1, 2, 1000)))
    else:
        container[draw.choice(("x", "kind", "name", "text"))] = container[key]
    return data


def _other(value: Any, draw: random.Random) -> Any:
    """Another value, most often a near one."""
    if isinstance(value, bool) or draw.random() < 0.5:
        return copy.deepcopy(draw.choice(HOSTILE))  # it may be changed in its new place
    if isinstance(value, (int, float)) and abs(value) < 1e200:
        near = (value + 1, value - 1, -value, value * 2, value * 1000, value / 2, value * 1e30)
        return draw.choice((*near, str(value), [value], value * 10**20))
    if isinstance(value, str):
        start = draw.randrange(len(value) + 1)
        odd = draw.choice(("", "\x1b[31m", "\n", "x", "\u202e", "[/]", "<b>", "$", "\ud834", "🙂"))
        return draw.choice(
            (value[:start] + odd + value[start:], value[start:], value * 2, value[::-1])
        )
    return draw.choice(([value], {"x": value}, _deep(draw), str(value)[:99]))


def _deep(draw: random.Random) -> Any:
    found: Any = 0
    for _ in range(draw.choice((10, 100, 300))):
        found = [found] if draw.random() < 0.5 else {"a": found}
    return found


def _dumped(data: Any, draw: random.Random) -> str:
    """JSON text, now and then with what no value can say."""
    text = json.dumps(data)
    way = draw.randrange(40)
    if way == 0:
        depth = draw.choice((100, 1000, 100_000))
        return text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
    if way == 1:
        return text[:-1] + ', "digits": ' + "9" * draw.choice((400, 4000, 100_000)) + "}"
    if way == 2:  # the same names again
        return text[:-1] + ", " + text[1:] if text.startswith("{") and len(text) > 2 else text
    if way == 3:
        return text[: draw.randrange(len(text) + 1)]
    return text
