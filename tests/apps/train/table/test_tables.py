import csv
import json
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unrolled.apps.train.table import lines, open_table
from unrolled.apps.train.table.delimited import Delimited
from unrolled.apps.train.table.numbers import Spill
from unrolled.errors import UserError

CELL = st.text(string.ascii_letters + 'äß中😀 ,;"\n\t', min_size=1).map(str.strip).filter(bool)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), bom=st.booleans())
def test_any_record_is_found_at_its_place(
    tmp_path: Path, rows: list[tuple[str, str]], bom: bool
) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        csv.writer(file).writerows([("first", "second"), *rows])
    table = open_table(path)
    records = list(table)
    assert table.columns == ("first", "second")
    assert [tuple(record.values) for record in records] == rows
    for record in reversed(records):
        assert table.at(record.place) == record.values
        line = path.read_text("utf-8").splitlines()  # the line is the one it begins at
        assert 2 <= record.line <= len(line)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"a{separator}b\n1{separator}2\n\n3{separator}4\n")
    assert [record.values for record in open_table(path)] == [["1", "2"], ["3", "4"]]
    assert [record.line for record in open_table(path)] == [2, 4]


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    found = [{"x": [1, 2], "y": "ä"}, {"y": "b"}, {"x": [], "y": None, "z": 1}]
    path.write_text("\n\n".join(map(json.dumps, found)))
    table = open_table(path)
    records = list(table)
    assert [record.values for record in records] == [[[1, 2], "ä"], [None, "b"], [[], None]]
    assert [record.line for record in records] == [1, 3, 5]
    assert [table.at(record.place) for record in records] == [r.values for r in records]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"a,b\n1,2\n3,\xff\n", r"line 3: not UTF-8: byte 0xff at offset 10"),
        ("a.csv", b"a,b\n1,\x00\n", "line 2: a NUL byte"),
        ("a.csv", b"a,b\n1,2\n3\n", "line 3: 1 values, but there are 2 columns"),
        ("a.csv", b'a,b\n1,2\n"3,4\n5,6\n', "record that begins at line 3: unexpected end of data"),
        ("a.csv", b'a,b\n1,"2"x\n', "record that begins at line 2"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2: not JSON"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', r"line 2: a JSON object is expected, not '\[1\]'"),
        ("a.jsonl", b"\n\n", "has no records"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError, match=message):
        list(open_table(path))


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.csv"):
        with pytest.raises(UserError, match="cannot read"):
            open_table(path)


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 100)
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1" * 1000)
    with pytest.raises(UserError, match="line 2: longer than 100 bytes"):
        list(open_table(path))


def test_columns_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b,b\n1,2,3\n")
    table = open_table(path)
    assert table.column("a") == 0
    with pytest.raises(UserError, match="no column 'c': it has 'a', 'b', 'b'"):
        table.column("c")
    with pytest.raises(UserError, match="2 columns called 'b'"):
        table.column("b")


def test_without_header_and_quotation(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('say "hi\tdis "salut\nyes\toui\n')
    table = Delimited(path, header=False, quoted=False)
    assert table.columns == ("1", "2")
    assert [record.values for record in table] == [['say "hi', 'dis "salut'], ["yes", "oui"]]


def test_numbers_on_disk() -> None:
    spill = Spill("float64", chunk=3)
    assert len(spill.array()) == 0
    for value in range(10):
        spill.append(value / 4)
    assert len(spill) == 10
    assert spill.array().tolist() == [value / 4 for value in range(10)]
