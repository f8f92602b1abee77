"""Settings are written once and checked the same way for every door."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.jobs import JOBS
from DeepMRILib.options import from_json, markdown_table, option, settings, to_json, validate


@dataclass(frozen=True)
class Example:
    mode: Literal["a", "b"] = option("a", "Which mode")
    count: int = option(3, "How many", range=(1, 10))
    level: float = option(0.5, "How much", unit="mm", range=(0.0, 1.0))
    on: bool = option(True, "Whether")
    place: Path = option(Path("x"), "Where")
    pair: tuple[float, float] = option((0.0, 1.0), "From and to", range=(0.0, 5.0))
    many: tuple[int, ...] = option((1, 2), "Any number")


def test_settings_travel_through_json_unchanged() -> None:
    given = Example(mode="b", count=4, level=0.25, on=False, place=Path("y/z"), pair=(1.0, 2.0), many=(5,))
    assert from_json(Example, to_json(given)) == given


def test_whole_numbers_and_text_are_taken_in_their_declared_type() -> None:
    checked = validate(Example(level=1, count=2.0, place="q", pair=[0, 1]))
    assert (checked.level, checked.count, checked.place, checked.pair) == (1.0, 2, Path("q"), (0.0, 1.0))
    assert isinstance(checked.count, int)
    assert isinstance(checked.level, float)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "c"}, "mode is 'c'; choose one of a, b"),
        ({"count": 0}, "between 1 and 10"),
        ({"count": 2.5}, "must be of type int"),
        ({"count": True}, "must be of type int"),
        ({"level": 1.5}, "1.5 mm; it must lie between 0 and 1 mm"),
        ({"level": float("nan")}, "finite"),
        ({"level": "much"}, "must be of type float"),
        ({"on": 1}, "must be of type bool"),
        ({"pair": (1.0,)}, "takes 2 values; got 1"),
        ({"pair": 3.0}, "takes several values"),
        ({"pair": (1.0, 9.0)}, "between 0 and 5"),
    ],
)
def test_a_bad_setting_is_named_in_one_sentence(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        validate(Example(**change))


def test_an_unknown_setting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"speed is not a setting of Example; it has count, level, many"):
        from_json(Example, {"speed": 1})


def test_a_type_that_no_door_can_show_is_refused() -> None:
    @dataclass(frozen=True)
    class Bad:
        table: bytes = option(b"", "No")

    with pytest.raises(TypeError, match="table: a setting is a bool"):
        settings(Bad)


def test_choices_are_words() -> None:
    @dataclass(frozen=True)
    class Numbered:
        order: Literal[1, 2] = option(1, "Order of the spline")

    @dataclass(frozen=True)
    class Several:
        modes: tuple[Literal["a", None], ...] = option(("a",), "Modes")

    with pytest.raises(TypeError, match="order: the choices of a setting are words"):
        settings(Numbered)
    with pytest.raises(TypeError, match="modes: the choices of a setting are words"):
        settings(Several)


def test_no_setting_is_none() -> None:
    @dataclass(frozen=True)
    class Empty:
        name: str = option(None, "A name")

    @dataclass(frozen=True)
    class Optional:
        level: float | None = option(1.0, "A level")

    with pytest.raises(TypeError, match="name: no setting is None"):
        settings(Empty)
    with pytest.raises(TypeError, match="level: a setting is a bool"):
        settings(Optional)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.key)
def test_every_setting_of_every_job_is_documented_and_its_default_is_valid(job) -> None:
    options_type = job.options_type
    assert validate(options_type()) == options_type()
    table = markdown_table(options_type)
    for item in settings(options_type):
        assert len(item.help) > 5, f"{item.name} needs a help text"
        assert not item.help.endswith("."), f"{item.name}: no full stop, the doors add it"
        assert f"`{item.name}`" in table


@dataclass(frozen=True)
class Numbers:
    seed: int = option(0, "Start", range=(0, 2**31 - 1))
    free: int = option(0, "Any")
    rate: float = option(0.5, "Rate", range=(1e-6, 1e5))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 10**400}, r"seed is about 1e\+400; it must lie between 0 and 2147483647\.$"),
        ({"seed": 2**31}, "seed is 2147483648; it must lie between 0 and 2147483647"),
        ({"free": -(10**400)}, r"free is about -1e\+400; the largest whole number is 9223372036854775807"),
        ({"rate": 10**400}, r"rate is about 1e\+400, which is too large"),
        ({"rate": 3e5}, "rate is 300000; it must lie between 1e-06 and 100000"),
    ],
)
def test_huge_numbers_are_a_sentence_and_whole_ones_have_all_digits(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_json(Numbers, change)


def test_ranges_are_shown_with_all_their_digits() -> None:
    tooltips = {item.name: item.tooltip for item in settings(Numbers)}
    assert tooltips["seed"] == "Start (0 to 2147483647)."
    assert "| 0 to 2147483647 | Start |" in markdown_table(Numbers)
