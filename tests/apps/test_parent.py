import os
import signal
import subprocess
import sys
import time

import pytest

STARTERS = {
    "multiprocessing": """
import multiprocessing, time
from unrolled.apps.parent import end_with_parent

def work():
    end_with_parent()
    print(multiprocessing.current_process().pid, flush=True)
    time.sleep(600)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
""",
    "subprocess": """
import subprocess, sys
code = '''import os, time
from unrolled.apps.parent import end_with_parent
end_with_parent()
print(os.getpid(), flush=True)
time.sleep(600)'''
subprocess.Popen([sys.executable, "-c", code]).wait()
""",
}


def is_alive(number: int) -> bool:
    """Tell whether a process runs; one that ended and was not yet asked for does not."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("starter", STARTERS)
def test_a_process_ends_when_the_one_that_started_it_is_killed(starter: str, tmp_path) -> None:
    (tmp_path / "start.py").write_text(STARTERS[starter])
    with subprocess.Popen([sys.executable, tmp_path / "start.py"], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        number = int(first.stdout.readline())
        assert is_alive(number)
        first.kill()
        first.wait()
        left = time.monotonic() + 20
        while is_alive(number) and time.monotonic() < left:
            time.sleep(0.05)
        ended = not is_alive(number)
        if not ended:
            os.kill(number, signal.SIGKILL)
    assert ended
