"""Code on disk: what was written is read, by anybody who may, and nothing else is."""

import errno
import os
import random
import stat
import subprocess
import sys
import textwrap
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import unrolled
from unrolled import affine, sigmoid, tanh
from unrolled.kernels.codegen.ir import Target
from unrolled.kernels.runtime import code_cache, jit, recurrence
from unrolled.kernels.runtime.jit import Machine, host

CODE = bytes(range(256)) * 9
KEY = code_cache.key("some text", "some processor")

POSIX = pytest.mark.skipif(os.name != "posix", reason="folders have no modes here")
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be copied here")

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "some" / "cache"
    monkeypatch.setenv("UNROLLED_CACHE", str(path))
    code_cache._warn.cache_clear()
    return path


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that LLVM is given."""
    texts: list[str] = []
    original = jit._compiled

    def counted(text: str, target: Target) -> bytes:
        texts.append(text)
        return original(text, target)

    monkeypatch.setattr(jit, "_compiled", counted)
    return texts


def entry(folder: Path) -> Path:
    return folder / f"{KEY}.kernel"


# Entries.


def test_what_was_written_is_read(folder: Path) -> None:
    assert code_cache.read(KEY) is None
    code_cache.write(KEY, CODE)
    assert code_cache.read(KEY) == CODE
    code_cache.write(KEY, b"other")
    assert code_cache.read(KEY) == b"other"
    assert os.listdir(folder) == [f"{KEY}.kernel"]


def test_a_key_is_of_all_its_parts() -> None:
    keys = [code_cache.key(*parts) for parts in [("a", "b"), ("ab",), ("b", "a"), ("a", "b", "")]]
    assert len(set(keys)) == 4
    assert code_cache.key("a", "b") == keys[0]


def test_code_is_of_its_processor_effort_and_versions(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = host("float")
    text = "define void @run() {\n  ret void\n}"
    for _ in range(2):
        Machine(text, here, {})
    assert len(compiled) == 1
    Machine(text, Target("float", 16, 16, here.cpu), {})  # without its features
    assert len(compiled) == 2
    Machine(text.replace("run", "ran"), here, {})
    assert len(compiled) == 3
    with monkeypatch.context() as patch:
        patch.setattr(jit, "EFFORT", 1)
        Machine(text, here, {})
    with monkeypatch.context() as patch:
        patch.setattr(jit, "VERSIONS", ("0.0", *jit.VERSIONS[1:]))
        Machine(text, here, {})
    with monkeypatch.context() as patch:
        patch.setattr(code_cache, "FORMAT", 0)
        Machine(text, here, {})
    assert len(compiled) == 6
    Machine(text, here, {})
    assert len(compiled) == 6


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
        lambda data: data[:-9] + bytes([data[-9] ^ 128]) + data[-8:],
        lambda data: bytes(len(data)),
    ],
    ids=["empty", "no header", "cut", "longer", "checksum", "a bit", "zeros"],
)
def test_a_spoilt_entry_is_replaced(spoil: Callable[[bytes], bytes], folder: Path) -> None:
    code_cache.write(KEY, CODE)
    entry(folder).write_bytes(spoil(entry(folder).read_bytes()))
    assert code_cache.read(KEY) is None
    code_cache.write(KEY, CODE)
    assert code_cache.read(KEY) == CODE


def test_every_bit_counts(folder: Path) -> None:
    code_cache.write(KEY, b"ret")
    data = entry(folder).read_bytes()
    for bit in range(8 * len(data)):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        entry(folder).write_bytes(spoilt)
        assert code_cache.read(KEY) is None


def test_an_entry_under_another_name_is_not_taken(folder: Path) -> None:
    code_cache.write(KEY, CODE)
    other = code_cache.key("another text")
    entry(folder).rename(folder / f"{other}.kernel")
    assert code_cache.read(other) is None


# Where entries stand, and whose they are.


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/unrolled/kernels"),
        ("linux", {"HOME": "/home/me", "XDG_CACHE_HOME": "/fast"}, "/fast/unrolled/kernels"),
        ("linux", {"HOME": "/me", "XDG_CACHE_HOME": "fast"}, "/me/.cache/unrolled/kernels"),
        ("linux", {"HOME": "/home/me", "UNROLLED_CACHE": "/there"}, "/there"),
        ("linux", {"HOME": "/home/me", "UNROLLED_CACHE": "~/there"}, "/home/me/there"),
        ("linux", {"HOME": "/home/me", "UNROLLED_CACHE": "0"}, None),
        ("linux", {"HOME": "nowhere"}, None),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/unrolled/kernels"),
        ("win32", {"LOCALAPPDATA": "/C/me/Local"}, "/C/me/Local/unrolled/kernels"),
        ("win32", {}, None),
    ],
)
@POSIX
def test_places(
    platform: str,
    variables: dict[str, str],
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "UNROLLED_CACHE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert code_cache._folder() == (None if expected is None else Path(expected))


def test_it_is_turned_off(
    compiled: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_cache.write(KEY, CODE)
    before = os.listdir(folder)
    monkeypatch.setenv("UNROLLED_CACHE", "0")
    monkeypatch.chdir(folder)
    assert code_cache.read(KEY) is None
    code_cache.write(KEY, CODE)
    for _ in range(2):
        Machine("define void @run() {\n  ret void\n}", host("float"), {})
    assert len(compiled) == 2
    assert os.listdir(folder) == before


@POSIX
def test_what_is_made_is_the_users_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        code_cache.write(KEY, CODE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(folder).stat().st_mode) == 0o600


@POSIX
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(mode: int, folder: Path) -> None:
    code_cache.write(KEY, CODE)
    folder.chmod(mode)
    expected = rf"{folder} should be a folder of your own .* is of mode {mode:o}\. .*UNROLLED_CACHE"
    with pytest.warns(RuntimeWarning, match=expected):
        assert code_cache.read(KEY) is None
    assert code_cache.read(KEY) is None  # in silence
    code_cache.write(code_cache.key("another"), CODE)
    assert len(os.listdir(folder)) == 1
    folder.chmod(0o755)  # that others may read it does no harm
    assert code_cache.read(KEY) == CODE


@POSIX
def test_a_folder_of_somebody_else_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_cache.write(KEY, CODE)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.warns(RuntimeWarning, match=f"is owned by user {owner}"):
        assert code_cache.read(KEY) is None


@POSIX
def test_a_link_or_a_file_in_place_of_the_folder_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_cache.write(KEY, CODE)
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(folder)
    file.touch()
    for path in (link, file):
        monkeypatch.setenv("UNROLLED_CACHE", str(path))
        with pytest.warns(RuntimeWarning, match="is a link, or another kind of file"):
            assert code_cache.read(KEY) is None
    code_cache.write(KEY, CODE)
    assert file.read_bytes() == b""


@POSIX
def test_entries_that_others_may_have_written_are_not_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_cache.write(KEY, CODE)
    entry(folder).chmod(0o620)
    assert code_cache.read(KEY) is None
    entry(folder).chmod(0o600)
    assert code_cache.read(KEY) == CODE
    original = os.fstat

    def strange(file: int) -> os.stat_result:
        numbers = list(original(file))
        numbers[stat.ST_UID] += 1
        return os.stat_result(numbers)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", strange)
        assert code_cache.read(KEY) is None
    elsewhere = entry(folder).rename(tmp_path / "elsewhere")
    entry(folder).symlink_to(elsewhere)
    assert code_cache.read(KEY) is None
    entry(folder).unlink()
    os.mkfifo(entry(folder))  # nobody writes to it: to open it must not wait
    assert code_cache.read(KEY) is None
    code_cache.write(KEY, CODE)
    assert code_cache.read(KEY) == CODE


# Disks.


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(folder: Path) -> None:
    code_cache.write(KEY, CODE)
    folder.chmod(0o500)
    try:
        code_cache.write(code_cache.key("another"), CODE)
        assert code_cache.read(KEY) == CODE
    finally:
        folder.chmod(0o700)
    assert len(os.listdir(folder)) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES])
@pytest.mark.parametrize("call", ["mkdir", "mkstemp", "write", "replace", "scandir", "utime"])
def test_no_fault_of_the_disk_is_an_error(
    call: str,
    number: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kernels are compiled and run; nothing half-written is left."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    owner = {"mkdir": Path, "mkstemp": code_cache.tempfile, "write": code_cache}.get(call, os)
    if call == "write":
        original = open

        def opened(*arguments: Any, **options: Any) -> object:
            file = original(*arguments, **options)
            return type(
                "Full",
                (),
                {
                    "write": fail,
                    "__enter__": lambda self: self,
                    "__exit__": lambda self, *_: file.close(),
                },
            )()

        monkeypatch.setattr(code_cache, "open", opened, raising=False)
    else:
        monkeypatch.setattr(owner, call, fail)
    code_cache.write(KEY, CODE)
    monkeypatch.undo()
    monkeypatch.setenv("UNROLLED_CACHE", str(folder))
    assert code_cache.read(KEY) == (CODE if call in ("scandir", "utime") else None)
    left = os.listdir(folder) if folder.exists() else []
    assert not [name for name in left if name.endswith("partial")]


def test_an_entry_that_cannot_be_touched_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time of use is not noted on a disk that cannot be written to."""
    code_cache.write(KEY, CODE)

    def fail(*arguments: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "utime", fail)
    assert code_cache.read(KEY) == CODE


def test_an_interrupt_leaves_nothing_half_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        code_cache.write(KEY, CODE)
    assert os.listdir(folder) == []


# Size.


def test_the_folder_has_a_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used longest ago goes; other files stay."""
    monkeypatch.setattr(code_cache, "DISK", 16 * 10 * (len(CODE) + 48))  # ten entries of each part
    keys = [f"{part:x}{number:063x}" for number in range(30) for part in range(16)]
    code_cache.write(keys[0], CODE)
    other = folder / "0 notes.txt"
    other.write_bytes(bytes(10**6))
    partial = folder / f"{keys[0]}.abc_123.partial"
    partial.write_bytes(CODE)
    old = time.time() - 10**6
    os.utime(partial, (old, old))
    os.utime(other, (old, old))
    for age, key in enumerate(keys):
        code_cache.write(key, CODE)
        moment = old + age
        os.utime(folder / f"{key}.kernel", (moment, moment))
        assert code_cache.read(keys[16]) in (None, CODE)  # one that is used all the time
    assert code_cache.read(keys[16]) == CODE
    assert code_cache.read(keys[17]) is None
    assert not partial.exists()
    assert other.exists()
    entries = [path for path in folder.iterdir() if path != other]
    assert len(entries) == 160
    assert sum(path.stat().st_size for path in entries) <= code_cache.DISK
    code_cache.write(KEY, bytes(code_cache.DISK // 16 + 1))
    assert code_cache.read(KEY) is None  # larger than all that has a place


# Processes and threads.


def script(text: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]


TRAINED = """
import sys, torch, unrolled
from unrolled.kernels.runtime import jit
original, count = jit._compiled, 0
def counted(text, target):
    global count
    count += 1
    return original(text, target)
jit._compiled = counted
torch.set_num_threads(1)
torch.manual_seed(0)
layer = unrolled.LSTM(3, 5, bidirectional=True)
x = torch.randn(6, 4, 3)
output, _ = layer(x)
output.sum().backward()
with torch.no_grad():
    layer(x), layer(x[:1, :1]), unrolled.GRUCell(3, 5)(x[0])
print(count, float(output.sum()), *(float(p.grad.sum()) for p in layer.parameters()))
"""


@pytest.mark.broad
def test_a_second_process_compiles_nothing() -> None:
    """Kernels of inference and training, and the modules that help them."""
    first, second = (
        subprocess.run(script(TRAINED), check=True, capture_output=True, text=True).stdout.split()
        for _ in range(2)
    )
    assert int(first[0]) >= 7
    assert second == ["0", *first[1:]]


@FORK
def test_many_processes_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads whole entries or none, whatever the others write and remove."""
    monkeypatch.setattr(code_cache, "DISK", 16 * 40_000)
    children = [in_child(lambda seed=seed: write_and_read(seed)) for seed in range(6)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    names = os.listdir(folder)
    assert names
    assert all(name.endswith(".kernel") for name in names)


def write_and_read(seed: int) -> None:
    drawn = random.Random(seed)
    for _ in range(400):
        number = drawn.randrange(40)
        key = code_cache.key(str(number))
        code = bytes([number]) * (1000 * (1 + number % 7))
        found = code_cache.read(key)
        assert found in (None, code)
        if found is None or drawn.random() < 0.2:
            code_cache.write(key, code)


def in_child(work: Callable[[], None]) -> int:
    """Start work in a copy of this process, whose status is 0 if it comes to its end."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return child


def test_many_threads_at_once() -> None:
    def work(seed: int) -> None:
        drawn = random.Random(seed)
        for _ in range(100):
            number = drawn.randrange(8)
            key = code_cache.key("thread", str(number))
            assert code_cache.read(key) in (None, bytes([number]) * 999)
            code_cache.write(key, bytes([number]) * 999)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


@FORK
def test_a_fork_reads_what_its_parent_wrote_and_the_other_way_round(compiled: list[str]) -> None:
    def layer(number: int) -> unrolled.Recurrent:
        def new(x, h):
            h = tanh(affine(x, h)) * sigmoid(h * (number + 0.25))
            return locals()

        return unrolled.Recurrent(unrolled.cell(new), 3, 4)

    def run(number: int) -> None:
        with torch.no_grad():
            layer(number)(torch.zeros(6, 4, 3))

    def again() -> None:
        recurrence._known.clear()
        run(1)
        assert compiled == texts
        run(2)
        assert compiled != texts

    run(1)
    texts = list(compiled)
    assert os.waitpid(in_child(again), 0)[1] == 0
    run(2)
    assert compiled == texts


def test_nothing_is_said_where_all_is_well(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code_cache.write(KEY, CODE)
        assert code_cache.read(KEY) == CODE
