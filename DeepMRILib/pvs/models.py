"""``deepmri pvs models``: the networks for perivascular spaces that are published, and those on this computer."""

from __future__ import annotations

from typing import Any

from DeepMRILib.model_store import Model, ModelStore
from DeepMRILib.pvs.imported import METHOD
from DeepMRILib.pvs.published import LICENCE, SETS, PublishedSet
from DeepMRILib.tables import Table


def models(store: ModelStore | None = None) -> Table:
    """All networks that can be used, one row for each.

    Args:
        store: the user's when None.

    Returns:
        ``name``, ``model`` (in words), ``date``, ``images``, ``folds``, ``licence``, ``page`` (where it can be had)
        and ``here`` (``no``, ``in your models`` or ``with the extension``). The published ones come first, in the
        order of their appearance.

    Example:
        >>> table = models()
        >>> table.columns["name"][0], table.columns["folds"][0], table.columns["here"][0]
        ('shiva-pvs-v0-t1', 5, 'no')
    """
    there = (ModelStore() if store is None else store).list(METHOD)
    rows = []
    for published in SETS:
        of_it = [model for model in there if model.card.extra.get("published") == published.key]
        rows += [_row(model, published) for model in of_it] or [_absent(published)]
    keys = {published.key for published in SETS}
    rows += [_row(model, None) for model in there if model.card.extra.get("published") not in keys]
    return Table.from_rows(rows)


def show_models() -> str:
    """List the published networks for perivascular spaces and those on this computer, with where to get them."""
    lines = []
    table = models()
    for row in (dict(zip(table.columns, values, strict=True)) for values in table.rows):
        place = f"get it at {row['page']}" if row["here"] == "no" else row["here"]
        folds = f"{row['folds']} fold" + ("s" if row["folds"] != 1 else "")
        lines.append(f"{row['name']}  {row['images']}  {folds}  {row['date']}  {row['licence']}  {place}")
    return "\n".join(lines)


def _absent(published: PublishedSet) -> dict[str, Any]:
    return {
        "name": published.key,
        "model": published.title,
        "date": published.date,
        "images": " ".join(published.images),
        "folds": published.count,
        "licence": LICENCE,
        "page": published.page,
        "here": "no",
    }


def _row(model: Model, published: PublishedSet | None) -> dict[str, Any]:
    card = model.card
    made = card.extra.get("provenance")
    created = str(made.get("created", ""))[:10] if isinstance(made, dict) else ""
    folds, images = card.extra.get("folds", [0]), card.preprocessing.get("images", ())
    return {
        "name": card.name,
        "model": published.title if published else card.source,
        "date": published.date if published else created,
        "images": " ".join(map(str, images)) if isinstance(images, (list, tuple)) else "",
        "folds": len(folds) if isinstance(folds, list) else 1,
        "licence": card.licence,
        "page": published.page if published else "",
        "here": "with the extension" if model.shipped else "in your models",
    }
