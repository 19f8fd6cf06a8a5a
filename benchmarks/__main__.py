"""Run the benchmarks, print one table: `python -m benchmarks [NAME…]`, such as `import gather`."""

import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.row import Row

HEADINGS = ("what", "ours", "floor or peer", "ratio", "must reach", "ok")


def main(wanted: Sequence[str]) -> int:
    """Run them all, or those wanted; return 1 if one fails or misses what it must reach."""
    names = sorted(
        path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
    )
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        print(
            f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(names)}",
            file=sys.stderr,
        )
        return 2
    rows: list[Row] = []
    failed: list[str] = []
    for name in wanted or names:
        print(f"measuring {name} …", file=sys.stderr)
        try:
            rows += import_module(f"benchmarks.bench_{name}").rows()
        except Exception:
            traceback.print_exc()
            failed.append(name)
    print(table([HEADINGS, *(row.cells() for row in rows)]))
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed or not all(row.ok for row in rows) else 0


def table(lines: Iterable[Sequence[str]]) -> str:
    """Align the cells of each column."""
    lines = list(lines)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
