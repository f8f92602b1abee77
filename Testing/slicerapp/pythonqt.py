"""PythonQt's way with Qt objects, on PySide6, and the module ``qt`` made of it.

Slicer wraps Qt by PythonQt, where ``button.text`` is the text (not a getter), ``button.connect("clicked()", f)``
connects a signal named as in C++, and a misspelt attribute or signal is noticed. ``install`` gives every PySide6
object, made in Python or in C++, these manners: it replaces attribute access of ``QObject``. The classes themselves
stay PySide6's own, so ``type(widget) == qt.QCheckBox`` holds as Slicer's code expects.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import shiboken6
from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets
from PySide6.QtCore import SIGNAL, QMetaMethod, QMetaObject, QObject

from slicerapp.names import all_names

QT_MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)

# Qt calls these virtual getters back through Python: as attributes they would call themselves for ever.
VIRTUAL_GETTERS = frozenset({"sizeHint", "minimumSizeHint", "spacing", "duration"})

_native_getters = {QObject: QObject.__getattribute__}
"""PySide6's own attribute access: QObject's, and that of the few classes below it that have another."""
_property = QObject.property
_set_property = QObject.setProperty

Key = tuple[int, str, Any]
_connections: dict[Key, Callable[..., None]] = {}
"""(address of the sender, signal, callable) -> what is really connected; entries go when the sender is destroyed."""


class StandIn:
    """Marks a widget that imitates one of CTK's or Slicer's, to be listed before the Qt base class.

    Signals are declared as ``Signal`` attributes of the real names; where C++ has overloads, ``_OVERLOADS`` maps the
    others' signatures to further attributes. Attributes that begin with an underscore are the stand-in's own.
    """

    _OVERLOADS: ClassVar[dict[str, str]] = {}


def is_standin(cls: type) -> bool:
    """Whether a class itself, not a base of it, is a stand-in."""
    return issubclass(cls, StandIn) and cls.__module__.startswith("slicerapp.")


def real_names(cls: type, kind: str) -> set[str]:
    """A stand-in's real names of one kind (properties, signals, methods), with those it inherits."""
    found: set[str] = set()
    for base in cls.__mro__:
        if issubclass(base, StandIn):
            found.update(all_names().get(base.__name__, {}).get(kind, ()))
    return found


@functools.cache
def property_names(cls: type) -> frozenset[str]:
    """The Qt properties of a class, but for those that a Python class on the way redefines."""
    meta = cls.staticMetaObject
    names = {meta.property(index).name() for index in range(meta.propertyCount())}
    for base in cls.__mro__:
        if not base.__module__.startswith(("PySide6", "Shiboken")) and base is not object:
            names -= set(vars(base))
    return frozenset(names)


@functools.cache
def _made_in_python(cls: type, name: str) -> bool:
    """Whether a Python class below Qt's defines the name itself: then PythonQt's additions stand back."""
    bases = (base for base in cls.__mro__ if not base.__module__.startswith(("PySide6", "Shiboken")))
    return any(name in vars(base) for base in bases if base is not object)


def _native_get(self: QObject, name: str) -> Any:
    cls = type(self)
    return next(_native_getters[base] for base in cls.__mro__ if base in _native_getters)(self, name)


def _get_attribute(self: QObject, name: str) -> Any:
    cls = type(self)
    addition = _ADDITIONS.get(name)
    if addition is not None and not _made_in_python(cls, name):
        return functools.partial(addition, self)
    if name == "name" and not _made_in_python(cls, name):
        return _property(self, "objectName")
    if name not in VIRTUAL_GETTERS and name in property_names(cls):
        value = _property(self, name)
        return tuple(value) if isinstance(value, list) else value  # PythonQt makes tuples of Qt's lists
    return _native_get(self, name)


def _set_attribute(self: QObject, name: str, value: Any) -> None:
    cls = type(self)
    if isinstance(value, QtCore.SignalInstance) and not _made_in_python(cls, name):
        _native_get(self, "__dict__")[name] = value  # PySide keeps a bound signal in its object
        return
    if name == "name" and not _made_in_python(cls, name):
        name = "objectName"
    if name in property_names(cls):
        if not _set_property(self, name, value):
            raise AttributeError(f"property {name} of {cls.__name__} is read-only or does not accept {value!r}")
        return
    if _dropping and not name.startswith("_") and not isinstance(class_attribute(cls, name), QtCore.Property):
        return
    if not _may_have(cls, name):
        raise AttributeError(f"{cls.__name__} has no attribute {name}, and a new one cannot be set on a Qt object")
    descriptor = class_attribute(cls, name)
    if isinstance(descriptor, QtCore.Property):
        if descriptor.fset is None:
            raise AttributeError(f"property {name} of {cls.__name__} is read-only")
        descriptor.fset(self, value)
    elif hasattr(type(descriptor), "__set__"):
        descriptor.__set__(self, value)
    else:
        _native_get(self, "__dict__")[name] = value


_dropping: list[bool] = []


@contextlib.contextmanager
def dropping_new_attributes() -> Iterator[None]:
    """For a while, setting an unknown attribute does nothing."""
    _dropping.append(True)
    try:
        yield
    finally:
        _dropping.pop()


def _may_have(cls: type, name: str) -> bool:
    if is_standin(cls):
        return name.startswith("_") or isinstance(class_attribute(cls, name), QtCore.Property)
    return not cls.__module__.startswith("PySide6")


def class_attribute(cls: type, name: str) -> Any:
    """What a class or a base of it defines under the name, as it stands there; None when nothing."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def split_signature(text: str) -> tuple[str, str]:
    """The name of a signal or slot, and its signature as Qt normalizes it."""
    if "(" not in text or not text.rstrip().endswith(")"):
        raise RuntimeError(f"{text!r} is not a signature: expected a name with its argument types in parentheses")
    signature = bytes(QMetaObject.normalizedSignature(text).data()).decode()
    return signature.partition("(")[0], signature


@functools.cache
def has_signal(cls: type, text: str) -> bool:
    """Whether objects of the class emit this signal, in Qt's own spelling."""
    _, signature = split_signature(text)
    if issubclass(cls, StandIn) and signature in real_names(cls, "signals"):
        return True
    index = cls.staticMetaObject.indexOfSignal(signature)
    return index >= 0 and cls.staticMetaObject.method(index).methodType() == QMetaMethod.MethodType.Signal


@functools.cache
def has_slot(cls: type, text: str) -> bool:
    """Whether the class has this slot."""
    name, signature = split_signature(text)
    if issubclass(cls, StandIn) and name in real_names(cls, "methods"):
        return True
    return cls.staticMetaObject.indexOfMethod(signature) >= 0


def _standin_signal(sender: QObject, name: str, signature: str) -> QtCore.SignalInstance | None:
    cls = type(sender)
    if not issubclass(cls, StandIn) or signature not in real_names(cls, "signals"):
        return None
    for base in cls.__mro__:
        name = vars(base).get("_OVERLOADS", {}).get(signature, name)
    if not hasattr(sender, name):
        raise AttributeError(f"the real {cls.__name__} has the signal {signature}; its stand-in here does not, yet")
    return getattr(sender, name)


def connect(sender: QObject, *args: Any) -> bool:
    """``sender.connect("clicked(bool)", function)`` or ``sender.connect(signal, receiver, "close()")``.

    Raises:
        RuntimeError: the sender has no such signal (PythonQt only warns), or the receiver no such slot.
    """
    if isinstance(args[0], QObject) or not isinstance(args[0], str):
        return QObject.connect(*args)  # PySide6's own static function, which its signals call too
    target = args[1] if len(args) == 2 else _slot(args[1], args[2])
    if not callable(target):
        raise TypeError(f"{target!r} cannot be called")
    name, signature = split_signature(args[0])
    if not has_signal(type(sender), args[0]):
        raise RuntimeError(f"{_class_name(sender)} has no signal {signature}")
    receive = _receiver(target)
    standin = _standin_signal(sender, name, signature)
    if standin is not None:
        standin.connect(receive)
    else:
        QObject.connect(sender, SIGNAL(signature), receive)
    _remember(sender, signature, target, receive)
    return True


def disconnect(sender: QObject, *args: Any) -> bool:
    """Undo a ``connect`` of the same arguments; False when there was none."""
    if not args or not isinstance(args[0], str):
        return QObject.disconnect(*args)
    name, signature = split_signature(args[0])
    if not has_signal(type(sender), args[0]):
        raise RuntimeError(f"{_class_name(sender)} has no signal {signature}")
    target = args[1] if len(args) == 2 else _slot(args[1], args[2])
    receive = _connections.pop((_address(sender), signature, target), None)
    if receive is None:
        return False
    standin = _standin_signal(sender, name, signature)
    if standin is not None:
        standin.disconnect(receive)
    else:
        QObject.disconnect(sender, SIGNAL(signature), receive)
    return True


def connections(sender: QObject) -> set[tuple[str, Any]]:
    """What is connected to the sender by ``connect``: pairs of signal and target, as ``disconnect`` takes them."""
    return {key[1:] for key in _connections if key[0] == _address(sender)}


def _slot(receiver: QObject, text: str) -> Callable[..., Any]:
    name, signature = split_signature(text)
    if not has_slot(type(receiver), text):
        raise RuntimeError(f"{_class_name(receiver)} has no slot {signature}")
    return getattr(receiver, name)


def _receiver(target: Callable[..., Any]) -> Callable[..., None]:
    """The target, called with as many of the signal's arguments as it takes: what PythonQt does."""
    most = _argument_count(target)

    def receive(*values: Any) -> None:
        target(*values[:most])

    return receive


def _argument_count(target: Callable[..., Any]) -> int | None:
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # a method of Qt's: signals are passed on whole, slots like close() take nothing
        return None if isinstance(getattr(target, "__self__", None), QtCore.SignalInstance) else 0
    if any(item.kind is item.VAR_POSITIONAL for item in parameters):
        return None
    return sum(item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD) for item in parameters)


def _address(sender: QObject) -> int:
    return shiboken6.getCppPointer(sender)[0]


def _remember(sender: QObject, signature: str, target: Any, receive: Callable[..., None]) -> None:
    address = _address(sender)
    if not any(key[0] == address for key in _connections):
        QObject.connect(sender, SIGNAL("destroyed()"), functools.partial(_forget, address))
    _connections[address, signature, target] = receive


def _forget(address: int) -> None:
    for key in [key for key in _connections if key[0] == address]:
        del _connections[key]


def _class_name(self: QObject) -> str:
    # Not self.metaObject(): PySide6 6.8 ties the class's own meta object to the life of the object that was asked.
    return type(self).staticMetaObject.className()


def _delete(self: QObject) -> None:
    shiboken6.delete(self)


_ADDITIONS: dict[str, Callable[..., Any]] = {
    "connect": connect,
    "disconnect": disconnect,
    "className": _class_name,
    "delete": _delete,
}


def install() -> types.ModuleType:
    """Give PySide6's objects PythonQt's manners and return the module ``qt``, also in ``sys.modules``."""
    if "qt" in sys.modules:
        return sys.modules["qt"]
    for module in QT_MODULES:
        for value in (getattr(module, name) for name in dir(module)):
            if isinstance(value, type) and issubclass(value, QObject):
                _replace_access(value)
    qt = types.ModuleType("qt")
    qt.__getattr__ = _qt_name
    sys.modules["qt"] = qt
    return qt


def _replace_access(cls: type[QObject]) -> None:
    if "__getattribute__" in vars(cls):
        _native_getters.setdefault(cls, cls.__getattribute__)
        cls.__getattribute__ = _get_attribute
    cls.__setattr__ = _set_attribute  # each class has one of its own, none inherits QObject's


def _qt_name(name: str) -> Any:
    """PySide6 makes its classes when they are first asked for, so ``qt`` asks for them one by one, too."""
    for module in QT_MODULES if not name.startswith("_") else ():
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module 'qt' has no attribute {name!r}")
