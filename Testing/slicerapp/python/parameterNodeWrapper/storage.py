"""How values of each type are kept as texts and node references in a vtkMRMLScriptedModuleNode."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable, Iterable, MutableSequence
from typing import Any

import slicer

from .annotations import IsInstance, NotNone, Validator, split

PATHS = (
    pathlib.Path,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
)
Node = slicer.vtkMRMLScriptedModuleNode


class Storage:
    """Values of one type under a name of the node.

    Args:
        validators: asked in their order before anything is written.
    """

    def __init__(self, validators: Iterable[Validator] = ()) -> None:
        self.validators = list(validators)

    def validate(self, value: Any) -> None:
        """Raise ValueError or TypeError where a validator does."""
        for validator in self.validators:
            validator.validate(value)

    def takes(self, kind: type) -> bool:
        """Whether values of this Python type could be of this storage's type: how a union chooses."""
        raise NotImplementedError

    def default(self) -> Any:
        raise NotImplementedError

    def is_in(self, node: Node, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Node, name: str, value: Any) -> None:
        self.validate(value)
        with slicer.util.NodeModify(node):
            self._write(node, name, value)

    def _write(self, node: Node, name: str, value: Any) -> None:
        raise NotImplementedError

    def read(self, node: Node, name: str) -> Any:
        raise NotImplementedError

    def remove(self, node: Node, name: str) -> None:
        node.UnsetParameter(name)


class TextStorage(Storage):
    """A value that is one text."""

    def __init__(self, kinds: tuple[type, ...], default: Any, to_text: Callable, from_text: Callable) -> None:
        super().__init__()
        self._kinds, self._default = kinds, default
        self._to_text, self._from_text = to_text, from_text

    def takes(self, kind: type) -> bool:
        return kind in self._kinds

    def default(self) -> Any:
        return self._default

    def _write(self, node: Node, name: str, value: Any) -> None:
        node.SetParameter(name, self._to_text(value))

    def read(self, node: Node, name: str) -> Any:
        return self._from_text(node.GetParameter(name))


class NodeStorage(Storage):
    """A node reference; an empty parameter of the same name says that it is there, though it may be None."""

    def takes(self, kind: type) -> bool:
        return issubclass(kind, slicer.vtkMRMLNode)

    def default(self) -> None:
        return None

    def _write(self, node: Node, name: str, value: slicer.vtkMRMLNode | None) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Node, name: str) -> slicer.vtkMRMLNode | None:
        return node.GetNodeReference(name)

    def remove(self, node: Node, name: str) -> None:
        super().remove(node, name)
        node.RemoveNodeReferenceIDs(name)


class ListStorage(Storage):
    """Elements under ``name.0``, ``name.1``, ...; their number under ``name.len``."""

    def __init__(self, element: Storage) -> None:
        super().__init__()
        self._element = element

    def takes(self, kind: type) -> bool:
        return kind is list

    def default(self) -> list:
        return []

    def is_in(self, node: Node, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def _length(self, node: Node, name: str) -> int:
        return int(node.GetParameter(f"{name}.len")) if self.is_in(node, name) else 0

    def _write(self, node: Node, name: str, value: Iterable[Any]) -> None:
        values = list(value)
        for item in values:
            self._element.validate(item)
        before = self._length(node, name)
        for index, item in enumerate(values):
            self._element.write(node, f"{name}.{index}", item)
        node.SetParameter(f"{name}.len", str(len(values)))
        for index in range(len(values), before):
            self._element.remove(node, f"{name}.{index}")

    def read(self, node: Node, name: str) -> StoredList:
        values = [self._element.read(node, f"{name}.{index}") for index in range(self._length(node, name))]
        return StoredList(values, lambda changed: self.write(node, name, changed))

    def remove(self, node: Node, name: str) -> None:
        for index in range(self._length(node, name)):
            self._element.remove(node, f"{name}.{index}")
        node.UnsetParameter(f"{name}.len")


class StoredList(MutableSequence):
    """A list that is written back to the node whenever it changes."""

    def __init__(self, values: list, save: Callable[[list], None]) -> None:
        self._list = values
        self._save = save

    def __len__(self) -> int:
        return len(self._list)

    def __getitem__(self, index: Any) -> Any:
        return self._list[index]

    def __eq__(self, other: object) -> bool:
        return self._list == (other._list if isinstance(other, StoredList) else other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"StoredList({self._list})"

    def __setitem__(self, index: Any, value: Any) -> None:
        self._change(lambda values: values.__setitem__(index, value))

    def __delitem__(self, index: Any) -> None:
        self._change(lambda values: values.__delitem__(index))

    def insert(self, index: int, value: Any) -> None:
        self._change(lambda values: values.insert(index, value))

    def _change(self, change: Callable[[list], None]) -> None:
        values = list(self._list)
        change(values)
        self._save(values)
        self._list = values


class TupleStorage(Storage):
    """Entries under ``name.0``, ``name.1``, ..."""

    def __init__(self, entries: list[Storage]) -> None:
        super().__init__()
        self._entries = entries

    def takes(self, kind: type) -> bool:
        return False  # as in Slicer: a tuple in a union is not found

    def default(self) -> tuple:
        return tuple(entry.default() for entry in self._entries)

    def is_in(self, node: Node, name: str) -> bool:
        return self._entries[0].is_in(node, f"{name}.0")

    def _write(self, node: Node, name: str, value: Iterable[Any]) -> None:
        values = tuple(value)
        if len(values) != len(self._entries):
            raise ValueError(f"Expected {len(self._entries)} values, got {len(values)}")
        for index, (entry, item) in enumerate(zip(self._entries, values, strict=True)):
            entry.write(node, f"{name}.{index}", item)

    def read(self, node: Node, name: str) -> tuple:
        return tuple(entry.read(node, f"{name}.{index}") for index, entry in enumerate(self._entries))

    def remove(self, node: Node, name: str) -> None:
        for index, entry in enumerate(self._entries):
            entry.remove(node, f"{name}.{index}")


class UnionStorage(Storage):
    """The value under ``name.<index of its type in the union>``."""

    def __init__(self, members: list[Storage], is_optional: bool) -> None:
        super().__init__()
        self._members = members
        self._is_optional = is_optional

    def takes(self, kind: type) -> bool:
        return any(member.takes(kind) for member in self._members)

    def default(self) -> Any:
        return None if self._is_optional else self._members[0].default()

    def is_in(self, node: Node, name: str) -> bool:
        return any(member.is_in(node, f"{name}.{index}") for index, member in enumerate(self._members))

    def _member(self, value: Any) -> int:
        refusal: Exception = TypeError(f"Unable to write value '{value}' of type '{type(value)}'")
        for index, member in enumerate(self._members):
            if member.takes(type(value)):
                try:
                    member.validate(value)
                except (TypeError, ValueError) as error:
                    refusal = error
                else:
                    return index
        raise refusal

    def _write(self, node: Node, name: str, value: Any) -> None:
        index = self._member(value)
        self.remove(node, name)
        self._members[index].write(node, f"{name}.{index}", value)

    def read(self, node: Node, name: str) -> Any:
        for index, member in enumerate(self._members):
            if member.is_in(node, f"{name}.{index}"):
                return member.read(node, f"{name}.{index}")
        raise KeyError(f"Unable to find value for name: {name}")

    def remove(self, node: Node, name: str) -> None:
        for index, member in enumerate(self._members):
            member.remove(node, f"{name}.{index}")


def storage_for(annotated: Any) -> Storage:
    """The storage of a type as it stands in an annotation.

    Raises:
        TypeError: values of this type cannot be kept here.
    """
    kind, annotations = split(annotated)
    storage, own = _bare_storage(kind)
    validators = [item for item in annotations if isinstance(item, Validator)]
    storage.validators = [*own, *validators]
    return storage


def _bare_storage(kind: Any) -> tuple[Storage, list[Validator]]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        is_optional = len(arguments) == 2 and arguments[1] is type(None)
        return UnionStorage([storage_for(member) for member in arguments], is_optional), []
    if origin is list and len(arguments) == 1:
        return ListStorage(storage_for(arguments[0])), []
    if origin is tuple and Ellipsis not in arguments:
        return TupleStorage([storage_for(entry) for entry in arguments]), []
    if kind is type(None):
        return TextStorage((kind,), None, lambda value: "True", lambda text: None), []
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeStorage(), [IsInstance(kind)]
    if isinstance(kind, type):
        return _text_storage(kind)
    raise TypeError(f"Unable to create serializer for type: {kind}")


def _text_storage(kind: type) -> tuple[Storage, list[Validator]]:
    if kind in (int, float):
        accepted = int if kind is int else (int, float)
        return TextStorage((int, float), 0, str, kind), [NotNone(), IsInstance(accepted)]
    if kind is str:
        return TextStorage((str,), "", str, str), [NotNone(), IsInstance(str)]
    if kind is bool:
        return TextStorage((bool,), False, _text_of_bool, "True".__eq__), [NotNone(), IsInstance(bool)]
    if kind in PATHS:
        return TextStorage(PATHS, kind(), str, kind), [NotNone(), IsInstance(kind)]
    if issubclass(kind, enum.Enum) and len(kind):
        return TextStorage((kind,), next(iter(kind)), lambda value: value.name, _member_of(kind)), [IsInstance(kind)]
    raise TypeError(f"Unable to create serializer for type: {kind}")


def _text_of_bool(value: bool) -> str:
    return "True" if value else "False"


def _member_of(kind: type[enum.Enum]) -> Callable[[str], enum.Enum]:
    def read(text: str) -> enum.Enum:
        if text not in kind.__members__:
            raise ValueError(f"Found {text!r} in parameter node but it is not a name in {kind!r}")
        return kind[text]

    return read
