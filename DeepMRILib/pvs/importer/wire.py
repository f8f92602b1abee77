"""Protocol-buffer messages read without the protobuf package, by a table of the fields that are of use.

The wire format: a message is a row of fields, each a varint key (number * 8 + wire type) and a value
(https://protobuf.dev/programming-guides/encoding). Fields that the table does not name are skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_MESSAGES = 400_000
"""Messages decoded from one file; files of the published kinds need a few ten thousand."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NUMBERS = {"int": np.int64, "float": np.dtype("<f4"), "double": np.dtype("<f8"), "fixed32": np.dtype("<u4")}
_WIRE = {"int": _VARINT, "float": _FIXED32, "double": _FIXED64, "fixed32": _FIXED32}
_LONGEST_VARINT = 10


class DamagedError(ValueError):
    """The bytes are no such message; the text says why in a few words."""


@dataclass(frozen=True)
class Field:
    """A field of the table: ``kind`` is int, float, double, fixed32, str, bytes or a message's name."""

    number: int
    name: str
    kind: str
    repeated: bool = False
    keyed: bool = False


Schema = Mapping[str, Mapping[int, Field]]


def schema(table: Mapping[str, str]) -> Schema:
    """The fields by message and number, from rows of ``number name kind``; ``*`` marks repeated, ``{}`` maps.

    >>> schema({"Point": "1 x int, 2 tags str*"})["Point"][2].repeated
    True
    """
    return {message: {entry.number: entry for entry in map(_field, row.split(","))} for message, row in table.items()}


def _field(text: str) -> Field:
    number, name, kind = text.split()
    plain = kind.rstrip("*{}")
    return Field(int(number), name, plain, kind.endswith("*"), kind.endswith("{}"))


class Message:
    """A decoded message: its fields are attributes, those that the file leaves out have protobuf's defaults.

    Repeated numbers are arrays, other repeated fields lists, maps dictionaries, ``bytes`` views into the file.
    """

    __slots__ = ("_decoder", "_fields", "_values")

    def __init__(self, decoder: Decoder, fields: Mapping[int, Field], values: dict[str, Any]) -> None:
        self._decoder = decoder
        self._fields = fields
        self._values = values

    def __getattr__(self, name: str) -> Any:
        """The field, or its default."""
        values = self._values
        if name not in values:
            entry = next((entry for entry in self._fields.values() if entry.name == name), None)
            if entry is None:
                raise AttributeError(name)
            values[name] = self._decoder.default(entry)
        return values[name]

    def has(self, name: str) -> bool:
        """Whether the file gives the field; to be asked before the field is read."""
        return name in self._values


class Decoder:
    """Decodes messages of one file and counts them, so that a file of empty messages cannot fill the memory."""

    def __init__(self, table: Schema, most: int = MOST_MESSAGES) -> None:
        self.table = table
        self._left = most
        self._rows = {
            name: [entry.name for entry in fields.values() if entry.repeated and entry.kind in _NUMBERS]
            for name, fields in table.items()
        }

    def decode(self, name: str, data: memoryview) -> Message:
        """The message ``name`` of the table.

        Raises:
            DamagedError: the bytes are no such message, or hold too many.
        """
        self._left -= 1
        if self._left < 0:
            raise DamagedError("it holds more entries than any network has")
        fields = self.table[name]
        values: dict[str, Any] = {}
        for number, wire, value in walk(data):
            entry = fields.get(number)
            if entry is not None:
                self._store(values, entry, wire, value)
        for name_of_rows in self._rows[name]:
            if name_of_rows in values:
                values[name_of_rows] = np.concatenate(values[name_of_rows])
        return Message(self, fields, values)

    def default(self, entry: Field) -> Any:
        """What a field is that the file leaves out."""
        if entry.keyed:
            return {}
        if entry.repeated:
            return np.empty(0, _NUMBERS[entry.kind]) if entry.kind in _NUMBERS else []
        plain = {"int": 0, "fixed32": 0, "float": 0.0, "double": 0.0, "str": "", "bytes": memoryview(b"")}
        if entry.kind in plain:
            return plain[entry.kind]
        return Message(self, self.table[entry.kind], {})

    def _store(self, values: dict[str, Any], entry: Field, wire: int, value: Any) -> None:
        if entry.keyed:
            key, item = self._pair(entry, _view(wire, value))
            values.setdefault(entry.name, {})[key] = item
        elif not entry.repeated:
            values[entry.name] = self._single(entry, wire, value)
        elif entry.kind in _NUMBERS:
            values.setdefault(entry.name, []).append(_numbers(entry.kind, wire, value))
        else:
            values.setdefault(entry.name, []).append(self._single(entry, wire, value))

    def _single(self, entry: Field, wire: int, value: Any) -> Any:
        if entry.kind == "int" and wire == _VARINT:
            return value - (1 << 64) if value >> 63 else value
        if entry.kind in _NUMBERS:
            numbers = _numbers(entry.kind, wire, value)
            return numbers[-1].item() if len(numbers) else self.default(entry)
        if wire != _BYTES:
            raise DamagedError("it has a field of another type than expected")
        view = value
        if entry.kind == "bytes":
            return view
        return _text(view) if entry.kind == "str" else self.decode(entry.kind, view)

    def _pair(self, entry: Field, data: memoryview) -> tuple[str, Any]:
        """A map is a row of messages with the key in field 1 and the value, which may lack, in field 2."""
        plain = Field(2, entry.name, entry.kind)
        key, item = "", self.default(plain)
        for number, wire, value in walk(data):
            if number == 1:
                key = _text(_view(wire, value))
            elif number == 2:
                item = self._single(plain, wire, value)
        return key, item


def walk(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Number, wire type and value of each field; varints are unsigned, the rest are views.

    Raises:
        DamagedError: a field runs past the end or is of no known type.
    """
    position, end = 0, len(data)
    while position < end:
        # Nearly all keys and sizes are one byte.
        key, position = (data[position], position + 1) if data[position] < 0x80 else varint(data, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise DamagedError("it has a field without a number")
        if wire == _VARINT:
            value, position = varint(data, position)
            yield number, wire, value
            continue
        if wire == _BYTES:
            short = position < end and data[position] < 0x80
            size, position = (data[position], position + 1) if short else varint(data, position)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise DamagedError("it has a field of an unknown type")
        if size > end - position:
            raise DamagedError("it ends within a field")
        yield number, wire, data[position : position + size]
        position += size


def varint(data: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits a byte from ``position`` on, and where it ends.

    >>> varint(memoryview(bytes([0xAC, 0x02])), 0)
    (300, 2)
    """
    value = 0
    for step in range(_LONGEST_VARINT):
        if position >= len(data):
            raise DamagedError("it ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
    raise DamagedError("it has a number that is too long")


def _numbers(kind: str, wire: int, value: Any) -> NDArray:
    """One number, or a packed row of them: both forms are allowed everywhere."""
    if wire == _BYTES:
        if kind == "int":
            return _packed(value)
        size = _NUMBERS[kind].itemsize
        if len(value) % size:
            raise DamagedError("it has a row of numbers that is cut")
        return np.frombuffer(value, _NUMBERS[kind])
    if wire != _WIRE[kind]:
        raise DamagedError("it has a field of another type than expected")
    if kind == "int":
        return np.array([value], np.uint64).view(np.int64)
    return np.frombuffer(value, _NUMBERS[kind])


def _packed(view: memoryview) -> NDArray:
    """A row of varints as int64, all at once."""
    data = np.frombuffer(view, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if not len(data):
        return np.empty(0, np.int64)
    if not len(ends) or ends[-1] != len(data) - 1:
        raise DamagedError("it ends within a number")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST_VARINT:
        raise DamagedError("it has a number that is too long")
    values = np.zeros(len(ends), np.uint64)
    for step in range(int(lengths.max())):
        there = lengths > step
        bits = (data[starts[there] + step] & 0x7F).astype(np.uint64)
        values[there] |= bits << np.uint64(7 * step)
    return values.view(np.int64)


def _view(wire: int, value: Any) -> memoryview:
    if wire != _BYTES:
        raise DamagedError("it has a field of another type than expected")
    return value


def _text(view: memoryview) -> str:
    try:
        return bytes(view).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError("it has a name that is no text") from error


def little(view: memoryview, form: str) -> tuple[Any, ...]:
    """Numbers of a fixed layout, little-endian, ``form`` as in the module struct.

    Raises:
        DamagedError: there are fewer bytes.
    """
    try:
        return struct.unpack_from("<" + form, view)
    except struct.error as error:
        raise DamagedError("it is too short") from error
