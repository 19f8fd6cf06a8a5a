"""Install requirements before anything of the user's is loaded."""

import os
import subprocess
import sys
from typing import Any

from .output import BASE, fail


def install(requirements: list[Any]) -> None:
    """Install the requirements into a directory of this pod's own."""
    target = os.path.join(BASE, "packages")
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", target]
    done = subprocess.run(
        [*command, *requirements], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        output = done.stdout.decode(errors="replace")
        sys.stderr.write(output)
        last = output.strip().split("\n")[-1]
        fail("pip could not install %s: %s" % (", ".join(requirements), last))
    sys.path.insert(0, target)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([target, before] if before else [target])
