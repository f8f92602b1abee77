"""Functions of TensorFlow and Keras 3 that move values: slices, padding, joining, axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DeepMRILib.pvs.importer.keras_site import NotUnderstoodError, Site, Value

_MODES = {"constant": "constant", "reflect": "reflect", "symmetric": "symmetric", "edge": "edge"}
_MOST_AXES = 8


def _first(site: Site, *names: str) -> str:
    given = (
        site.args[0] if site.args else next((site.options.get(name) for name in names if site.options.has(name)), None)
    )
    if not isinstance(given, Value):
        raise NotUnderstoodError("an input that is no tensor")
    return given.name


def _second(site: Site, *names: str) -> Any:
    if len(site.args) > 1:
        return site.args[1]
    return next((site.options.get(name) for name in names if site.options.has(name)), None)


def _wholes(value: Any, what: str) -> list[int]:
    """Whole numbers; a single one is a list of one."""
    values = [value] if type(value) is int else value
    if not isinstance(values, list | tuple) or any(type(entry) is not int or abs(entry) >= 2**31 for entry in values):
        raise NotUnderstoodError(f"{what} {str(value)[:60]}")
    return list(values)


def _axis(site: Site, default: int) -> int:
    return _wholes(site.options.get("axis", default), "axis")[0]


def _listed(site: Site) -> list[str]:
    given = site.args[0] if site.args else site.options.get("values", site.options.get("xs"))
    if isinstance(given, Value):
        given = [given]
    if not isinstance(given, list) or not given or not all(isinstance(value, Value) for value in given):
        raise NotUnderstoodError("an input that is no tensor")
    return [value.name for value in given]


def concat(site: Site) -> str:
    """concat, concatenate."""
    axis = _second(site, "axis")
    if axis is None and site.keras == 3:
        axis = 0
    return site.add("concat", *_listed(site), axis=_wholes(axis, "axis")[0])


def stack(site: Site) -> str:
    """stack."""
    return site.add("stack", *_listed(site), axis=_axis(site, 0))


def split(site: Site) -> list[str]:
    """split into pieces of sizes that are given."""
    sizes = _second(site, "num_or_size_splits", "indices_or_sections")
    if not isinstance(sizes, list) or site.options.has("indices_or_sections") or site.keras == 3:
        raise NotUnderstoodError("pieces whose sizes are not given")
    sizes = _wholes(sizes, "sizes")
    site.options.ignore("num")
    attributes = {"axis": _axis(site, 0), "sizes": sizes}
    return site.building.add(site.path, "split", [_first(site, "value", "x")], attributes, len(sizes))


def reshape(site: Site) -> str:
    """reshape; the first size must be the batch: -1, or None."""
    shape = _second(site, "shape", "newshape")
    if not isinstance(shape, list | tuple) or not shape:
        raise NotUnderstoodError(f"shape {str(shape)[:60]}")
    sizes = list(shape)
    if sizes[0] in (-1, None) and -1 not in sizes[1:]:
        sizes[0] = -1
    sizes = _wholes(sizes, "shape")
    if 0 in sizes or sizes.count(-1) > 1:
        raise NotUnderstoodError(f"shape {str(shape)[:60]}")
    return site.add("reshape", _first(site, "tensor", "x"), shape=sizes)


def transpose(site: Site) -> str:
    """transpose with an order."""
    site.options.expect("conjugate", False)
    order = _wholes(_second(site, "perm", "axes"), "order")
    if sorted(order) != list(range(len(order))):
        raise NotUnderstoodError(f"order {order}")
    return site.add("transpose", _first(site, "a", "x"), order=order)


def expand(site: Site) -> str:
    """expand_dims."""
    return site.add("expand", _first(site, "input", "x"), axes=_wholes(_second(site, "axis"), "axis"))


def squeeze(site: Site) -> str:
    """squeeze of axes that are named."""
    return site.add("squeeze", _first(site, "input", "x"), axes=_wholes(_second(site, "axis", "squeeze_dims"), "axis"))


def tile(site: Site) -> str:
    """tile."""
    return site.add("tile", _first(site, "input", "x"), times=_wholes(_second(site, "multiples", "repeats"), "times"))


def repeat(site: Site) -> str:
    """repeat of each value along an axis."""
    times = _wholes(_second(site, "repeats"), "times")
    axis = site.options.get("axis")
    if len(times) != 1 or type(axis) is not int or times[0] < 1:
        raise NotUnderstoodError("times for each value, or no axis")
    return site.add("repeat_axis", _first(site, "input", "x"), times=times[0], axis=axis)


def pad(site: Site) -> str:
    """pad with pairs for all axes."""
    given = _second(site, "paddings", "pad_width")
    if not isinstance(given, list | tuple):
        raise NotUnderstoodError(f"paddings {str(given)[:60]}")
    pairs = [_wholes(list(pair) if isinstance(pair, list | tuple) else pair, "paddings") for pair in given]
    mode = str(site.options.get("mode", "constant")).lower()
    if mode not in _MODES or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise NotUnderstoodError(f"paddings {str(given)[:60]}, mode {mode[:20]}")
    value = site.options.number("constant_values", 0.0)
    return site.add("pad", _first(site, "tensor", "x"), pads=pairs, mode=_MODES[mode], value=value)


def getitem(site: Site) -> str:
    """x[...], as it is written in Python, with slices and numbers."""
    spec = _second(site, "slice_spec", "key")
    entries = spec if isinstance(spec, list) else [spec]
    if len(entries) > _MOST_AXES:
        raise NotUnderstoodError(f"{len(entries)} indices")
    return site.add("getitem", _first(site, "tensor", "x"), where=[_index(entry) for entry in entries])


def _index(entry: Any) -> Any:
    """A number, None (a new axis), ``"..."`` or ``[start, stop, step]``."""
    if entry is None or type(entry) is int:
        return entry
    if isinstance(entry, dict):
        if entry.get("class_name") == "__ellipsis__":
            return "..."
        settings = entry.get("config", {}) if entry.get("class_name") == "__slice__" else entry
        found = [settings.get(name) for name in ("start", "stop", "step")]
        whole = all(number is None or type(number) is int for number in found)
        if whole and set(settings) <= {"start", "stop", "step"} and (found[2] is None or found[2] > 0):
            return found
    raise NotUnderstoodError(f"an index {str(entry)[:60]}")


SHAPE_FUNCTIONS: dict[str, Callable[[Site], str | list[str]]] = {
    "concat": concat,
    "concatenate": concat,
    "stack": stack,
    "split": split,
    "reshape": reshape,
    "transpose": transpose,
    "expand_dims": expand,
    "squeeze": squeeze,
    "tile": tile,
    "repeat": repeat,
    "pad": pad,
    "getitem": getitem,
    "get_item": getitem,
}
