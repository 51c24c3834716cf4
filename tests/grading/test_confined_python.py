"""Attacks on the server by the source of a Python grader; on every way of shutting it in."""

import os
import platform
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tunewright.grading.confined import launch, seccomp
from tunewright.grading.confined.launch import Returned, UnconfinedError, run_confined
from tunewright.grading.confined.limits import Limits
from tunewright.grading.description import PythonCode
from tunewright.grading.grade import Means, grade
from tunewright.grading.templates import Sample

BRIEF = Limits(wall_s=20, cpu_s=10, memory_mib=512, disk_mib=8)


def works(way: str) -> bool:
    try:
        return run_confined("def grade(s, i): return 1", {}, {}, limits=BRIEF, way=way).value == 1
    except UnconfinedError:
        return False


WAYS = [way for way in launch.WAYS if sys.platform == "linux" and works(way)]
pytestmark = pytest.mark.skipif(not WAYS, reason="nothing here can shut a process in")


def attack(body: str, way: str, *, item: object = None, limits: Limits = BRIEF) -> Returned:
    """`body` is one line each of a function, whose result says whether the attack went well."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"import os, socket, sys\ndef grade(sample, item):\n{lines}"
    return run_confined(source, {"output_text": "x"}, item or {}, limits=limits, way=way)


def refused(body: str, way: str, **more: Any) -> str:
    found = attack(body, way, **more)
    assert found.value is None, found
    return str(found.details)


@pytest.mark.parametrize("way", WAYS)
def test_a_source_grades_with_the_libraries_that_are_there(way: str) -> None:
    source = (
        "import json, math, re, numpy\n"
        "def grade(sample, item):\n"
        "    return numpy.float32(len(sample['output_text'])) / item['most']\n"
    )
    found = run_confined(source, {"output_text": "abc"}, {"most": 6}, way=way)
    assert found == Returned(0.5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", ["1", "True", "0.25", "10 ** 3"])
def test_a_number_is_a_reward(way: str, value: str) -> None:
    assert attack(f"return {value}", way).value == float(eval(value))


@pytest.mark.parametrize(
    "value", ["'1'", "None", "[1]", "float('nan')", "float('inf')", "1j", "{}"]
)
def test_what_is_no_finite_number_is_none(value: str) -> None:
    assert "no finite number" in refused(f"return {value}", WAYS[0])


def test_an_exception_is_told_from_the_source_on() -> None:
    told = refused("raise KeyError('grade')", WAYS[0])
    assert told.startswith("Traceback")
    assert told.endswith("KeyError: 'grade'")
    assert "child.py" not in told
    assert "exec" not in told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1", "defines no function 'grade"),
        ("def grade(s, i): pass", "NoneType"),
        ("def grade(s): return 1", "TypeError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os; os._exit(0)", "exit code 0"),
        ("def grade(s, i): return grade(s, i)", "RecursionError"),
        ("import nowhere", "ModuleNotFoundError"),
        ("def grade(:", "SyntaxError"),
        ("import sys; sys.stdout.write('{\"value\": 1}')", "defines no function"),
        ("import ctypes; ctypes.string_at(0)", "exit code"),
    ],
)
def test_a_source_that_cannot_grade_is_told(source: str, told: str) -> None:
    found = run_confined(source, {}, {}, limits=BRIEF)
    assert found.value is None
    assert told in str(found.details)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loop", ["while True: pass", "import time; time.sleep(99)"])
def test_an_endless_loop_ends_in_time(way: str, loop: str) -> None:
    began = time.monotonic()
    told = refused(loop, way, limits=Limits(wall_s=2, memory_mib=512))
    assert "longer than 2 seconds" in told
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("way", WAYS)
def test_processor_time_ends_before_the_clock(way: str) -> None:
    began = time.monotonic()
    refused("while True: pass", way, limits=Limits(wall_s=60, cpu_s=1, memory_mib=512))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "bomb",
    [
        "while True: os.fork()",
        "import subprocess; subprocess.run(['/bin/true'], check=True); return 1",
        "os.execv(sys.executable, [sys.executable])",
        "os.posix_spawn('/bin/sh', ['sh', '-c', 'true'], {})\nreturn 1",
        "import multiprocessing as m; p = m.get_context('fork').Process(); p.start(); return 1",
        "os.system('true') and 1/0\nreturn 1",
    ],
)
def test_no_other_process_is_started(way: str, bomb: str) -> None:
    refused(bomb, way)


@pytest.mark.parametrize("way", WAYS)
def test_threads_are_there_and_end(way: str) -> None:
    body = "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()\nreturn 1"
    assert attack(body, way).value == 1
    bomb = (
        "import threading, time\n"
        "while True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"
    )
    refused(bomb, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "memory",
    [
        "x = bytearray(1 << 30)\nreturn 1",
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "x = 'a'\nwhile True: x += x",
        "import mmap\nx = mmap.mmap(-1, 1 << 30)\nreturn 1",
        "x = os.memfd_create('x')\nreturn 1",
    ],
)
def test_memory_has_an_end(way: str, memory: str) -> None:
    refused(memory, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(('127.0.0.1', item['port']), 2)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socket(40)",
        "socket.getaddrinfo('localhost', 80)[0][0] and socket.socket()",
        "__import__('urllib.request').request.urlopen(f'http://127.0.0.1:{item[\"port\"]}')",
    ],
)
def test_there_is_no_network(way: str, call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        refused(f"{call}\nreturn 1", way, item={"port": server.getsockname()[1]})
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("way", WAYS)
def test_no_file_outside_can_be_read_or_changed(way: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("value")
    item = {"path": str(secret), "folder": str(tmp_path)}
    for body in (
        "open(item['path']).read()",
        "open(item['path'], 'w')",
        "open(item['folder'] + '/new', 'w')",
        "os.remove(item['path'])",
        "os.listdir(item['folder'])",
        "os.symlink(item['path'], 'link'); open('link').read()",
        "open('/etc/passwd').read()",
        "open('/proc/1/environ').read()",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "open('/proc/self/root/etc/passwd').read()",
        "open('../' * 20 + 'etc/passwd').read()",
        "os.chroot('.')",
        "open(os.__file__, 'a')",
        "open('/dev/mem')",
        "os.mknod('d', 0o20600, os.makedev(1, 1)); open('d').read(1)",
    ):
        refused(f"{body}\nreturn 1", way, item=item)
    assert secret.read_text() == "value"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("way", WAYS)
def test_the_environment_and_the_open_files_of_the_server_are_not_there(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "value")
    assert attack("return len([k for k in os.environ if 'SECRET' in k])", way).value == 0
    body = (
        "found = 0\n"
        "for number in range(64):\n"
        "    try: found += os.fstat(number) is not None\n"
        "    except OSError: pass\n"
        "return found"
    )
    assert (attack(body, way).value or 99) <= 4  # three that lead nowhere, and the answer's


@pytest.mark.parametrize("way", WAYS)
def test_the_disk_has_an_end(way: str) -> None:
    body = "with open('/tmp/x', 'wb') as f:\n    while True: f.write(bytes(1 << 20))"
    refused(body, way)
    many = "for n in range(10 ** 9):\n    with open(f'/tmp/{n}', 'wb') as f: f.write(bytes(4096))"
    refused(many, way)


@pytest.mark.parametrize("way", WAYS)
def test_endless_output_goes_nowhere_or_ends(way: str) -> None:
    assert attack("for _ in range(100_000): print('x' * 100)\nreturn 1", way).value == 1
    assert "long" in refused("while True: os.write(3, b'x' * 65536)", way)
    assert len(refused("raise ValueError('x' * 10 ** 7)", way)) <= 4000


@pytest.mark.parametrize("way", WAYS)
def test_other_processes_are_out_of_reach(way: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        for body in (
            "os.kill(item['pid'], 9)",
            "os.kill(os.getppid(), 9)",
            "os.kill(-1, 9)",
            "os.setpriority(os.PRIO_PROCESS, item['pid'], 19)",
            "import resource; resource.prlimit(item['pid'], resource.RLIMIT_CPU, (0, 0))",
            "os.pidfd_open(item['pid'])",
        ):
            refused(f"{body}\nreturn 1", way, item={"pid": victim.pid})
        assert victim.poll() is None
        victim.kill()


@pytest.mark.parametrize("way", WAYS)
def test_it_has_no_rights_and_gets_none(way: str) -> None:
    body = "import resource as r\nr.setrlimit(r.RLIMIT_CPU, (-1, -1))\nreturn 1"
    refused(body, way)
    machine = {"x86_64": (0, 272, 165), "aarch64": (1, 97, 40)}[platform.machine()]
    for number in machine[1:]:
        call = f"import ctypes; return ctypes.CDLL(None).syscall({number}, 0x10000000)"
        assert attack(call, way).value == -1


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch.tempfile, "tempdir", str(tmp_path))
    attack("open('/tmp/x', 'w').write('x')\nreturn 1", WAYS[0])
    assert list(tmp_path.iterdir()) == []
    assert "tunewright-grader" not in Path("/proc/mounts").read_text()


def test_where_nothing_can_shut_it_in_a_source_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_tried", lambda: (None, ("namespaces: no", "landlock: no")))
    grader = PythonCode(type="python", name="p", source="def grade(s, i): return 1")
    with pytest.raises(UnconfinedError, match="could not be shut in: namespaces: no; landlock: no"):
        grade(grader, Sample("x"), {}, means=Means())


def test_a_way_that_does_not_hold_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_command", lambda way: [sys.executable, "-c", OPEN_DOOR])
    launch._tried.cache_clear()
    try:
        found, reasons = launch._tried()
    finally:
        launch._tried.cache_clear()
    assert found is None
    assert "what is forbidden was possible" in reasons[0]


OPEN_DOOR = """
import json, sys
asked = json.load(sys.stdin)
space = {}
exec(asked["source"], space)
print("shut in")
print(json.dumps({"value": space["grade"]({}, asked["item"])}))
"""


def test_the_source_of_a_grader_gives_zero_where_it_fails() -> None:
    grader = PythonCode(type="python", name="p", source="def grade(s, i): return 1 / 0")
    found = grade(grader, Sample("x"), {}, means=Means(limits=BRIEF))
    assert found.reward == 0.0
    assert found.errors.python_grader_runtime_error
    assert "ZeroDivisionError" in str(found.errors.python_grader_runtime_error_details)


@pytest.mark.parametrize("column", [0, 1])
def test_the_filter_jumps_within_itself(column: int) -> None:
    code = seccomp.program(column)
    steps = [struct.unpack_from("HBBI", code, place) for place in range(0, len(code), 8)]
    for place, (kind, yes, no, _) in enumerate(steps):
        assert place + 1 + max(yes, no) < len(steps) or kind == 0x06
    assert steps[-1][0] == 0x06


HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


@pytest.mark.skipif(not HEADER.exists(), reason="the kernel's headers are not installed")
def test_the_numbers_of_calls_are_those_of_the_kernel() -> None:
    lines = (line.split() for line in HEADER.read_text().splitlines())
    known = {each[1]: int(each[2]) for each in lines if each[:1] == ["#define"] and len(each) == 3}
    wrong = {
        name: numbers[0]
        for name, numbers in seccomp.DENIED.items()
        if known.get(f"__NR_{name}", numbers[0]) != numbers[0]
    }
    assert wrong == {}
    assert os.name == "posix"
