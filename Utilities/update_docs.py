"""Write the tables of settings and bounds into the docs: made from the code, like everything else about a setting.

python Utilities/update_docs.py [--check]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from DeepMRILib.iap.parameters import PARAMETERS
from DeepMRILib.ivim.bounds import BODY_PARTS, BodyPart
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.quantities import QUANTITIES
from DeepMRILib.jobs import find_job
from DeepMRILib.options import markdown_table

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PLACE = re.compile(
    r"(<!-- (?P<kind>settings|bounds|splits|tolerances) of (?P<of>[\w.-]+) -->\n).*?(<!-- end -->)", re.DOTALL
)


def bounds_table(model: str) -> str:
    """The bounds of each body part for a model; parts with the same bounds share a row."""
    names = MODELS[model].parameters
    heads = ["S0, relative" if name == "S0" else _head(name) for name in names]

    def cells(part: BodyPart) -> Iterable[str]:
        bounds = part.bounds_of(model).as_dict()
        return (f"{bounds[name][0]:g} to {bounds[name][1]:g}" for name in names)

    return _by_part(heads, cells)


def _head(name: str) -> str:
    unit = QUANTITIES[name].unit
    return f"{QUANTITIES[name].label} (mm²/s)" if unit == "mm2/s" else QUANTITIES[name].label


def splits_table() -> str:
    """The b-values that part the compartments in a segmented fit, by body part."""
    heads = ["bi-exponential (s/mm²)", "tri-exponential (s/mm²)"]
    return _by_part(heads, lambda part: (f"{part.split:g}", " and ".join(f"{b:g}" for b in part.triexp_splits)))


def _by_part(heads: list[str], cells: Callable[[BodyPart], Iterable[str]]) -> str:
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, part in BODY_PARTS.items():
        rows.setdefault(tuple(cells(part)), []).append(name)
    lines = [f"| body part | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {', '.join(names)} | {' | '.join(values)} |" for values, names in rows.items()]
    return "\n".join(lines)


def tolerances_table() -> str:
    """The acquisition parameters, and when a header and an image agree on one."""
    lines = ["| parameter | in DICOM | unit | agrees within |", "|---|---|---|---|"]
    for one in PARAMETERS:
        bounds = [f"{100 * one.relative:g} %"] if one.relative else []
        bounds += [f"{one.absolute:g} {one.unit}".strip()] if one.absolute else []
        lines.append(
            f"| {one.label} (`{one.name}`) | {one.keyword} | {one.unit} | {' or '.join(bounds) or 'the same'} |"
        )
    return "\n".join(lines)


def table(kind: str, of: str) -> str:
    """One marked table."""
    if kind == "tolerances":
        return tolerances_table()
    if kind == "settings":
        return markdown_table(find_job(of).options_type)
    return bounds_table(of) if kind == "bounds" else splits_table()


def updated(text: str) -> str:
    """The text with each marked table made anew."""
    return PLACE.sub(lambda found: f"{found[1]}{table(found['kind'], found['of'])}\n{found[4]}", text)


def main() -> int:
    """Rewrite the pages, or with --check say whether they are up to date."""
    stale = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fresh = updated(text)
        if fresh != text:
            stale.append(page)
            if "--check" not in sys.argv[1:]:
                page.write_text(fresh, encoding="utf-8")
    names = ", ".join(str(page.relative_to(ROOT)) for page in stale)
    if stale and "--check" in sys.argv[1:]:
        print(f"Out of date: {names}. Run python Utilities/update_docs.py")
        return 1
    if stale:
        print(f"Updated: {names}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
