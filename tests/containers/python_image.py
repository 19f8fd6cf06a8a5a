"""An image of this machine's Python, for where no registry can be reached."""

import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

# What a program needs besides Python: the shell of RUN, names, and the certificates to trust.
_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/nsswitch.conf")
_LEFT_OUT = re.compile(r"/(test|tests|idlelib|__pycache__|site-packages|config-[^/]*|share)(/|$)")
_DOCKERFILE = """FROM scratch
ADD root.tar /
ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8
CMD ["python3"]
"""


def write_context(directory: Path, busybox: str) -> None:
    """Write what the image is built from: a Dockerfile, and the tree of its files."""
    prefix = Path(sys.base_prefix).resolve()
    python = prefix / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(sysconfig.get_path("stdlib"))
    modules = list((library / "lib-dynload").glob("*.so"))
    with tarfile.open(directory / "root.tar", "w") as tar:
        for path in [python, library, *_libraries([python, *modules]), *map(Path, _FILES)]:
            if path.exists():
                tar.add(path.resolve(), str(path), filter=_readable)
        for tool in ("sh", "cat", "env"):
            tar.add(busybox, f"/bin/{tool}", filter=_readable)
        for link in ("/usr/local/bin/python", "/usr/local/bin/python3"):
            found = tarfile.TarInfo(link)
            found.type, found.linkname = tarfile.SYMTYPE, str(python)
            tar.addfile(found)
        for place in ("/tmp", "/root"):
            found = tarfile.TarInfo(place)
            found.type, found.mode = tarfile.DIRTYPE, 0o1777 if place == "/tmp" else 0o755
            tar.addfile(found)
    (directory / "Dockerfile").write_text(_DOCKERFILE)


def _readable(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Let everybody read it, whoever's Python it is."""
    if _LEFT_OUT.search(f"/{member.name}"):
        return None
    member.mode |= 0o755 if member.isdir() or member.mode & 0o100 else 0o444
    member.uid = member.gid = 0
    return member


def _libraries(programs: list[Path]) -> list[Path]:
    """Return the shared libraries of programs, and their loader."""
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    names = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
    found = set(re.findall(r"(/[^\s:]+\.so[^\s:]*) \(0x", told))
    beside = {Path(path).parent for path in found if "/libc.so" in path}
    found |= {str(place / name) for place in beside for name in names if (place / name).exists()}
    return sorted(map(Path, found))
