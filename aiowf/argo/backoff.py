"""How long to wait after failures in a row."""

import random

MAX_DELAY = 15.0


def delay(failures: int) -> float:
    """Return seconds to wait: about 0.1 at first, then twice as long each time, up to 15."""
    return min(MAX_DELAY, 0.1 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)
