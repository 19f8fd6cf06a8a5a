"""The example of many items in the README, run as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_spreads_a_function(tmp_path: Path) -> None:
    """Each item comes with its value; `gather` and the plain call follow."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)
    (block,) = [each for each in blocks if "@aiowf.task" in each]
    program = tmp_path / "program.py"
    program.write_text(f"import asyncio\n\nimport aiowf\n\n\n{block}\n\nasyncio.run(main())\n")
    ended = subprocess.run(
        [sys.executable, program], check=True, stdout=subprocess.PIPE, text=True, timeout=100
    )
    *lines, last = ended.stdout.splitlines()
    assert [f"{n} {n * n}" for n in range(100)] == sorted(
        lines, key=lambda line: int(line.split()[0])
    )
    assert last == f"{[n * n for n in range(10)]} 121"
