"""One measured promise."""

from attrs import frozen


@frozen(kw_only=True)
class Row:
    """A figure of ours, what it is compared with, and what it must reach.

    Attributes:
        name: What was measured.
        ours: The figure, in `unit`.
        unit: Such as "ms", "s", "/s" or "MB".
        peer: The same of the floor or of a peer, in the same run and unit; None: there is none.
        at_most: Upper bound of the ratio to the peer, or of the figure where there is no peer.
        at_least: Lower bound, likewise. With neither bound the row only informs.
    """

    name: str
    ours: float
    unit: str
    peer: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float | None:
        """Return ours / peer, or None where there is no peer."""
        return None if self.peer is None else self.ours / self.peer

    @property
    def ok(self) -> bool:
        """Return whether the bounds hold."""
        measured = self.ours if self.ratio is None else self.ratio
        return (self.at_most is None or measured <= self.at_most) and (
            self.at_least is None or measured >= self.at_least
        )

    def cells(self) -> tuple[str, ...]:
        """Return the row as text: name, ours, floor or peer, ratio, must reach, ok."""
        bounds = [(sign, bound) for sign, bound in self._bounds() if bound is not None]
        unit = f" {self.unit}" if self.peer is None else " ×"
        return (
            self.name,
            f"{_number(self.ours)} {self.unit}",
            "" if self.peer is None else f"{_number(self.peer)} {self.unit}",
            "" if self.ratio is None else f"{_number(self.ratio)} ×",
            ", ".join(f"{sign} {_number(bound)}{unit}" for sign, bound in bounds),
            "" if not bounds else "yes" if self.ok else "NO",
        )

    def _bounds(self) -> tuple[tuple[str, float | None], ...]:
        return ("≤", self.at_most), ("≥", self.at_least)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
