"""Tables as people have them: read right, or refused in words."""

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
import os
import string
import threading
import zipfile
from pathlib import Path
from typing import Any

import polars
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unrolled.apps.train.table import Table, lines, open_table, table
from unrolled.apps.train.table.format import FormatOptions
from unrolled.errors import UserError

CELL = st.text(string.ascii_letters + 'äß中😀 ,;"\n\t', min_size=1).map(str.strip).filter(bool)


def read(folder: Path, data: str | bytes, name: str = "table.csv", **options: Any) -> Table:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return open_table(path, FormatOptions(**options))


def cells(found: Table) -> list[list[Any]]:
    return [list(record.values) for record in found]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
)
def test_any_record_is_read(tmp_path: Path, rows: list[tuple[str, str]], encoding: str) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([("first", "second"), *rows])
    found = open_table(path, FormatOptions(header=True, separator=","))
    assert found.columns == ("first", "second")
    assert cells(found) == [list(row) for row in rows]
    places = [record.line for record in found]
    assert places == sorted(places)
    assert places[0] == 2


SAME = [["1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        *((f"a{s}b\n1{s}2\n\n3{s}4\n", "t.csv") for s in ",;\t|"),
        ("a,b\r\n1,2\r\n3,4", "t.csv"),
        ("a,b\r1,2\r3,4\r", "t.csv"),
        ("\ufeffa,b\n1,2\n3,4\n", "t.csv"),
        ("sep=;\na;b\n1;2\n3;4\n", "t.csv"),
        ('"sep=|"\na|b\n1|2\n3|4\n', "t.csv"),
        ("# made by hand\n#\na,b\n1,2\n# later\n3,4\n", "t.csv"),
        ("a,b\n1,2,\n3,4,\n", "t.csv"),
        ('"a","b"\n"1","2"\n"3","4"\n', "t.csv"),
        (gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0), "t.csv.gz"),
        (bz2.compress(b"a,b\n1,2\n3,4\n"), "t.csv.bz2"),
        (lzma.compress(b"a\tb\n1\t2\n3\t4\n"), "t.tsv.xz"),
        (gzip.compress("a,b\n1,2\n3,4\n".encode("utf-16"), mtime=0), "t"),
        ('{"a": 1, "b": 2}\n\n{"b": 4, "a": 3}\n', "t.jsonl"),
        ('[{"a": 1, "b": 2},\n {"a": 3, "b": 4}]', "t.json"),
        ('{"a": "1", "b": "2"}\n{"a": "3", "b": "4"}', "t"),
    ],
)
def test_one_table_in_many_files(tmp_path: Path, data: str | bytes, name: str) -> None:
    found = read(tmp_path, data, name)
    assert found.columns == ("a", "b")
    assert cells(found) == SAME


def test_columns_of_parquet_and_arrow(tmp_path: Path) -> None:
    frame = polars.DataFrame(
        {
            "day": [datetime.date(2020, 1, 31), None],
            "time": [datetime.datetime(2020, 1, 1, 12, 30), None],
            "x": [0.1, 2.0],
            "n": [1, None],
            "list": [[1.5, 2.0], [3.0]],
            "yes": [True, False],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.arrow")
    expected = [
        ["2020-01-31", "2020-01-01T12:30:00.000000", "0.1", "1", "[1.5, 2.0]", "true"],
        [None, None, "2.0", None, "[3.0]", "false"],
    ]
    for name in ("t.parquet", "t.arrow"):
        assert cells(open_table(tmp_path / name)) == expected
    (tmp_path / "bad.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:200])
    with pytest.raises(UserError, match=r"bad\.parquet is damaged"):
        open_table(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("data", "options", "rows"),
    [
        ('a\tb\n"lone\t2\nx\t4\n', {}, [['"lone', "2"], ["x", "4"]]),
        ('a\tb\n"Hi" she said\t2\nx\t4\n', {}, [['"Hi" she said', "2"], ["x", "4"]]),
        ('a,b\n5" pipe,2\nx,4\n', {}, [['5" pipe', "2"], ["x", "4"]]),
        ('a,b\n"x ""y"", z","q\nr"\n', {}, [['x "y", z', "q\nr"]]),
        ("a,b\n'x,y',2\n", {"quote": "'"}, [["x,y", "2"]]),
        ('"Smith, age";b\n1;2\n3;4\n', {}, [["1", "2"], ["3", "4"]]),
        ("a;b\n0,8;0,7\n1,5;2\n", {}, [["0,8", "0,7"], ["1,5", "2"]]),
        ("list,class\n1;2;3,a\n4;5;6,b\n", {}, [["1;2;3", "a"], ["4;5;6", "b"]]),
        ("junk\nmore junk\na,b\n1,2\n", {"skip_rows": 2}, [["1", "2"]]),
        ("text,class\nMüller,a\n".encode("latin-1"), {"encoding": "latin-1"}, [["Müller", "a"]]),
        ("a b\n1 2\n", {"separator": "space"}, [["1", "2"]]),
    ],
)
def test_quotation_separators_and_encodings(
    tmp_path: Path, data: str | bytes, options: dict[str, Any], rows: list[list[str]]
) -> None:
    name = "t.tsv" if b"\t" in (data if isinstance(data, bytes) else data.encode()) else "t.csv"
    assert cells(read(tmp_path, data, name, **options)) == rows


@pytest.mark.parametrize(
    ("data", "columns", "count"),
    [
        ("1,0.5,0.6\n2,0.7,0.8\n1,0.3,0.2\n", ("1", "2", "3"), 3),  # label first, as UCR has it
        ("  1.0e+00  2.0e-1\n  2.0e+00  3.0e-1\n", ("1", "2"), 2),
        ("cat,1,2\ndog,3,4\ncat,3,5\n", ("1", "2", "3"), 3),
        ("good,pos\nbad,neg\nfine,pos\n", ("1", "2"), 3),
        ("0,1,2,label\n1,2,3,a\n4,5,6,b\n", ("0", "1", "2", "label"), 2),
        ("0,1,2\n1,2,3\n4,5,6\n", ("0", "1", "2"), 2),
        ("country,2001,2002\nA,1,2\nB,3,4\n", ("country", "2001", "2002"), 2),
        (",a,b\n0,1,2\n1,3,4\n", ("1", "a", "b"), 2),
        ("name,city\nAda,London\nAlan,Wilmslow\n", ("name", "city"), 2),
    ],
)
def test_headers_are_seen(tmp_path: Path, data: str, columns: tuple[str, ...], count: int) -> None:
    found = read(tmp_path, data)
    assert found.columns == columns
    assert len(found) == count
    other = read(tmp_path, data, header=not found.format.header)
    assert abs(len(other) - count) == 1


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"a,b\n1,2\n3,\xfc\n", r"line 3: not utf-8: byte 0xfc; .*--encoding cp1252"),
        ("a.csv", b"a,b\n1,\x00\n", "line 2: a NUL"),
        ("a.csv", b"a,b\n1,2\n3\n", "line 3: 1 values, but there are 2 columns"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n", "line 3: 3 values, but there are 2 columns"),
        ("a.csv", b'a,b\n1,2\n"3,4\n5,6,7\n', "record that begins at line 3.*--quote none"),
        ("a.csv", b"# nothing\n", "has no records"),
        ("a.csv", b"a;b\n1,725;2\n3,125;4\n", "is '1,725' about one, or some thousand"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2: not JSON"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', r"line 2: a JSON object is expected, not '\[1\]'"),
        ("a.jsonl", b"\n\n", "has no records"),
        ("a.jsonl", b"[" * 100_000, "line 1: not JSON: more than 64 levels"),
        ("a.json", b'{"a": {"0": 1}}', "objects in an object"),
        ("a.json", b'{\n "a": 1}', "an object over several lines"),
        ("a.json", b"[1]", "the array's item 1 is '1'"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0", "an Excel workbook: save it as CSV"),
        ("a.npy", b"\x93NUMPY\x01", "a NumPy array"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-20], "a.csv.gz is damaged"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, data, name)


def test_an_archive_holds_one_file(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("t.csv", "a,b\n1,2\n3,4\n")
    assert cells(read(tmp_path, held.getvalue(), "t.zip")) == SAME
    with zipfile.ZipFile(held, "a") as archive:
        archive.writestr("other.csv", "a\n")
    with pytest.raises(UserError, match="holds 2 files: one is expected"):
        read(tmp_path, held.getvalue(), "t.zip")
    with zipfile.ZipFile(held, "a") as archive:
        archive.writestr("[Content_Types].xml", "")
    with pytest.raises(UserError, match="an Excel workbook"):
        read(tmp_path, held.getvalue(), "t.xlsx")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("a,b\n1,2\n3,4\n",))
    writer.start()
    found = open_table(pipe)
    writer.join()
    assert cells(found) == cells(found) == SAME
    assert len(found.digest()) == 64


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    for data, message in ((b"a,b\n1,2\n3,4\n", ""), (b"", "standard input is empty")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        if message:
            with pytest.raises(UserError, match=message):
                open_table(Path("-"))
        else:
            assert cells(open_table(Path("-"))) == SAME


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.csv"):
        with pytest.raises(UserError, match="cannot read"):
            open_table(path)


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 100)
    with pytest.raises(UserError, match="line 2: longer than 100 characters"):
        read(tmp_path, "a,b\n" + "1" * 1000)


def test_columns_that_are_not_there_are_named(tmp_path: Path) -> None:
    found = read(tmp_path, "a,b,b\n1,2,3\n")
    assert found.column("a") == 0
    with pytest.raises(UserError, match="no column 'c': it has 'a', 'b', 'b'"):
        found.column("c")
    with pytest.raises(UserError, match="2 columns called 'b'"):
        found.column("b")


def test_a_large_table_lies_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "KEPT", 50)
    monkeypatch.setattr(table, "ROWS", 7)
    rows = [[str(n), "ä" * (n % 3)] for n in range(100)]
    found = read(tmp_path, "n,text\n" + "".join(f"{n},{text}\n" for n, text in rows))
    assert cells(found) == [[n, text or None] for n, text in rows]
    assert sum(len(frame) for frame in found.frames([1])) == 100
    assert [record.line for record in found] == list(range(2, 102))


def test_json_lines_hold_anything(tmp_path: Path) -> None:
    found = [{"x": [1, 2.5], "y": "ä"}, {"y": True}, {"x": [], "y": None, "z": 1}]
    known = read(tmp_path, "\n\n".join(map(json.dumps, found)), "t.jsonl")
    assert known.columns == ("x", "y", "z")
    assert cells(known) == [["[1, 2.5]", "ä", None], [None, "true", None], ["[]", None, "1"]]
    assert [record.line for record in known] == [1, 3, 5]
    late = "\n".join([*['{"a": 1}'] * 1000, '{"b": 1}'])
    with pytest.raises(UserError, match="line 1001: the name 'b' stands in none of the first"):
        read(tmp_path, late, "t.jsonl")
