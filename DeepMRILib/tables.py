"""A small table of results: named columns of equal length, with units."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    """Named columns of equal length.

    Attributes:
        columns: name to values, in the order they are shown.
        units: unit of a column where it has one.

    Example:
        >>> Table({"region": ["liver"], "D": [1.1e-3]}, units={"D": "mm2/s"}).rows
        [('liver', 0.0011)]
    """

    columns: dict[str, list[Any]]
    units: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(values) for values in self.columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"the columns of a table have one length, not {sorted(lengths)}")

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], units: dict[str, str] | None = None) -> Table:
        """A table from one mapping per row; all rows have the same names."""
        rows = list(rows)
        names = list(rows[0]) if rows else []
        return cls({name: [row[name] for row in rows] for name in names}, units or {})

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The values row by row."""
        return list(zip(*self.columns.values(), strict=True))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def heading(self, name: str) -> str:
        """A column's name with its unit, as shown to people."""
        unit = self.units.get(name)
        return f"{name} ({unit})" if unit else name

    def write_csv(self, path: Path) -> None:
        """Write the table with plain column names, ready for a statistics program; numbers keep full precision."""
        with Path(path).open(
            "w", newline="", encoding="utf-8", errors="replace"
        ) as stream:  # names of files can be any bytes
            writer = csv.writer(stream)
            writer.writerow(self.columns)
            writer.writerows(self.rows)
