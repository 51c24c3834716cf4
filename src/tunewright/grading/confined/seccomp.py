"""The system calls that confined code may not make."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterator

from tunewright.grading.confined import kernel

# Call: its number on x86_64, on aarch64 (None: that machine has no such call).
DENIED: dict[str, tuple[int | None, int | None]] = {
    # the network
    "socket": (41, 198),
    # other processes, and other programs
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    # other namespaces, roots and file systems
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "mount_setattr": (442, 442),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "quotactl": (179, 60),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # doors into the kernel that a grader has no use for
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
}
CLONE = (56, 220)
CLONE3 = 435  # its flags cannot be seen here; the C library takes clone where this is unknown
PRLIMIT = (302, 261)
_CLONE_THREAD = 0x0001_0000
_ARCHITECTURES = (0xC000_003E, 0xC000_00B7)  # AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64
_X32_BIT = 0x4000_0000
# One instruction of the filter: load a word, compare, or return.
_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in what a filter sees
_ALLOW, _ERROR, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LONGEST_FILTER = 4096


def forbid() -> None:
    """From here on, this process and its threads get an error for each of those calls.

    Raises:
        RefusedError: the kernel has no seccomp, or this machine's calls are not known.
    """
    code = program(kernel.machine())
    held = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    kernel.named("no new privileges", "prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    kernel.named("seccomp", "prctl", _SET_SECCOMP, _FILTER, header, 0, 0)


def program(column: int) -> bytes:
    """The filter, eight bytes an instruction.

    Args:
        column: 0 for x86_64, 1 for aarch64.
    """
    code = b"".join(_instructions(column))
    if len(code) // 8 > _LONGEST_FILTER:
        raise ValueError("the filter is too long for the kernel")
    return code


def _instructions(column: int) -> Iterator[bytes]:
    denied = _ERROR | errno.EPERM
    yield _step(_LOAD, _ARCHITECTURE)
    yield _step(_EQUAL, _ARCHITECTURES[column], yes=1)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER)
    yield from _returns(_step(_AT_LEAST, _X32_BIT, no=1), denied)
    yield from _returns(_step(_EQUAL, CLONE3, no=1), _ERROR | errno.ENOSYS)
    for numbers in DENIED.values():
        if (number := numbers[column]) is not None:
            yield from _returns(_step(_EQUAL, number, no=1), denied)
    # A new thread is allowed, a new process is not; limits can be set for this process alone.
    for number, allowed in (
        (CLONE[column], _step(_BITS, _CLONE_THREAD, yes=1)),
        (PRLIMIT[column], _step(_EQUAL, 0, yes=1)),
    ):
        yield _step(_EQUAL, number, no=4)
        yield _step(_LOAD, _FIRST_ARGUMENT)
        yield allowed
        yield _step(_RETURN, denied)
        yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _ALLOW)


def _returns(test: bytes, answer: int) -> Iterator[bytes]:
    """The answer, where the test holds."""
    yield test
    yield _step(_RETURN, answer)


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """An instruction; `yes` and `no` are how many behind it are left out."""
    return struct.pack("HBBI", code, yes, no, value)
