"""Gives a pod a file system view of its own, then becomes the pod's program.

A program of its own, `python -I -S mount.py PLAN PROGRAM ARGUMENTS…`, the standard library only. In
a new mount namespace it makes a new root in which every entry of the old one is bound, except that
directories in which the pod needs a place of its own are made anew, with their entries bound one by
one. Nothing is created in the host's file system, and all of it is gone with the last process.

PLAN is JSON: {"root": directory to make the root in, "user": whether a user namespace is needed,
"anew": [directories to make anew], "bare": [those of them that begin empty], "mounts": [[target,
source, read only], …], "keep": [paths that must be seen all the same], "directory": working
directory, "log": file for the reason when the program cannot be run}. PROGRAM is the file to run,
or "" to look for it. Given `probe` in place of a PLAN it ends with 0 if this machine allows that.
"""

import ctypes
import json
import os
import sys

TYPE_CHECKING = False  # Importing typing would take longer than all the rest.
if TYPE_CHECKING:
    from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
# Flags of a mount that a namespace of less privilege must keep (statvfs's value is mount's, but for
# the last).
_LOCKED = (2, 4, 8, 1024, 2048)
_ST_RELATIME = 4096
_MS_RELATIME = 1 << 21

NOT_FOUND = 64
START_ERROR = 128

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    encoded = [part and os.fsencode(part) for part in (source, target, kind)]
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), None), target)


def unshare(user: bool) -> None:
    """Enter a mount namespace of our own, with a user namespace where we are not allowed to."""
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if user else 0)), "unshare")
    if user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    _mount(None, "/", None, MS_REC | MS_PRIVATE)


def bind(source: str, target: str, read_only: bool = False) -> None:
    """Make a file or directory appear at another place."""
    _mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        held = os.statvfs(target).f_flag
        flags = sum(flag for flag in _LOCKED if held & flag)
        if held & _ST_RELATIME:
            flags |= _MS_RELATIME
        _mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)


def make_place(path: str, like: str) -> None:
    """Make what a mount needs to be put on: a directory, or a file."""
    if os.path.isdir(like):
        os.makedirs(path, exist_ok=True)
    elif not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def copy_entry(source: str, target: str) -> None:
    """Make an entry of the old root appear in the new one."""
    if os.path.lexists(target):
        return
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    try:
        make_place(target, source)
        bind(source, target)
    except OSError:
        pass  # What we may not even look at is not missed.


def build(plan: "dict[str, Any]") -> None:
    """Make the new root."""
    root = plan["root"]
    bind(root, root)
    # Else binding a directory that holds it would bind all of it again.
    _mount(None, root, None, MS_UNBINDABLE)
    anew = set(plan["anew"])
    targets = set(target for target, _, _ in plan["mounts"])
    for directory in sorted(anew):
        place = root + directory
        os.makedirs(place, exist_ok=True)
        if directory in plan["bare"]:
            os.chmod(place, 0o1777)
        elif os.path.isdir(directory):
            for name in os.listdir(directory):
                entry = os.path.join(directory, name)
                if entry not in anew and entry not in targets:
                    copy_entry(entry, root + entry)
    for target, source, read_only in plan["mounts"]:
        make_place(root + target, source)
        bind(source, root + target, read_only)
    for path in plan["keep"]:
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        copy_entry(path, root + path)


def probe(user: bool) -> None:
    """Find out whether we may mount."""
    unshare(user)
    bind("/tmp", "/tmp", True)
    os.chroot("/")


def find_program(name: str) -> list[str]:
    """Return the files that a command may mean, in order."""
    if os.sep in name:
        return [name]
    return [os.path.join(entry, name) for entry in os.get_exec_path()]


def run(name: str, program: str, arguments: list[str], log: int) -> int:
    """Become the program; when that fails, say why in the log. Return the exit code."""
    reason = "executable file not found in $PATH"
    for path in [program] if program else find_program(name):
        try:
            os.execv(path, arguments)
        except FileNotFoundError:
            if os.sep in name:
                reason = f"stat {name}: no such file or directory"
        except PermissionError:
            reason = "permission denied"
        except OSError as error:
            os.write(log, (error.strerror or str(error)).encode())
            return START_ERROR
    os.write(log, f'failed to find name in PATH: exec: "{name}": {reason}'.encode())
    return NOT_FOUND


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    if arguments[1] == "probe":
        probe(arguments[2] == "user")
        return 0
    plan = json.loads(arguments[1])
    log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        unshare(plan["user"])
        build(plan)
        os.chroot(plan["root"])
        os.chdir(plan["directory"])
    except OSError as error:
        os.write(log, f"the file system of the pod cannot be made: {error}".encode())
        return START_ERROR
    return run(arguments[3], arguments[2], arguments[3:], log)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
