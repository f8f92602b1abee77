"""Write the tables of settings into the README: made from the options classes, like everything else about a setting.

python Utilities/update_docs.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from DeepMRILib.ivim.bounds import BODY_PARTS
from DeepMRILib.ivim.quantities import PARAMETERS
from DeepMRILib.jobs import find_job
from DeepMRILib.options import markdown_table

README = ROOT / "README.md"
PLACE = re.compile(r"(<!-- settings of (?P<job>[\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


BOUNDS = re.compile(r"(<!-- bounds of the fit -->\n).*?(<!-- end -->)", re.DOTALL)


def bounds_table() -> str:
    """The bounds of each body part; parts with the same bounds share a row."""
    rows: dict[tuple, list[str]] = {}
    for name, part in BODY_PARTS.items():
        rows.setdefault(tuple(getattr(part.bounds, key) for key in PARAMETERS), []).append(name)
    lines = ["| body part | D (mm²/s) | f | D* (mm²/s) | S0, relative |", "|---|---|---|---|---|"]
    for bounds, names in rows.items():
        lines.append(f"| {', '.join(names)} | " + " | ".join(f"{low:g} to {high:g}" for low, high in bounds) + " |")
    return "\n".join(lines)


def updated(text: str) -> str:
    """The text with each marked table made anew."""
    text = BOUNDS.sub(lambda found: f"{found[1]}{bounds_table()}\n{found[2]}", text)
    return PLACE.sub(lambda found: f"{found[1]}{markdown_table(find_job(found['job']).options_type)}\n{found[3]}", text)


def main() -> int:
    """Rewrite the README, or with --check say whether it is up to date."""
    text = README.read_text(encoding="utf-8")
    fresh = updated(text)
    if fresh == text:
        return 0
    if "--check" in sys.argv[1:]:
        print("README.md is out of date: run python Utilities/update_docs.py")
        return 1
    README.write_text(fresh, encoding="utf-8")
    print("README.md updated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
