"""The functions that the demo sends into pods: ordinary functions of an ordinary module."""

import json
import os
import random
from pathlib import Path


def count_hits(seed: int, points: int) -> int:
    """Throw darts at a square; count those inside the circle."""
    random.seed(seed)
    return sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(points))


def estimate(hits: list[int], points: int) -> float:
    """Estimate π from the hits of several throws."""
    return 4 * sum(hits) / (points * len(hits))


def write_report(counts: dict[str, int]) -> int:
    """Leave files in the shared directory; return how many."""
    shared = Path(os.environ["shared_directory"])
    (shared / "report.txt").write_text("\n".join(f"{name}: {n}" for name, n in counts.items()))
    (shared / "totals.json").write_text(json.dumps({"sum": sum(counts.values())}))
    return len(list(shared.iterdir()))


def divide(a: int, b: int) -> float:
    """Divide; by zero, too."""
    return a / b
