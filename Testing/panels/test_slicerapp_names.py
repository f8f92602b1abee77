"""The stand-ins know only names that the real widgets have."""

from __future__ import annotations

import os

import pytest
from slicerapp.names import HEADERS, all_names, derive, read_header


@pytest.fixture(scope="module")
def standins() -> dict[str, type]:
    import slicerapp

    slicerapp.start()
    from slicerapp.modules import qSlicerScriptedLoadableModuleWidget
    from slicerapp.ui_loader import QUiLoader

    return QUiLoader.STAND_INS | {"qSlicerScriptedLoadableModuleWidget": qSlicerScriptedLoadableModuleWidget}


def test_every_widget_with_names_has_a_stand_in(standins: dict[str, type]) -> None:
    bases = {"qSlicerAbstractModuleWidget"}  # its names are inherited; nobody makes one
    assert set(standins) == set(all_names()) - bases


def test_a_stand_in_has_no_public_name_that_the_real_widget_lacks(standins: dict[str, type]) -> None:
    assert {name: sorted(_extra_names(cls)) for name, cls in standins.items() if _extra_names(cls)} == {}


def _extra_names(cls: type) -> set[str]:
    own: set[str] = set()
    qt_names: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("slicerapp."):
            own |= {name for name in vars(base) if not name.startswith("_")}
        else:
            qt_names |= set(dir(base))
    return own - qt_names - _real(cls.__name__)


def _real(name: str) -> set[str]:
    names = all_names().get(name)
    if names is None:
        return set()
    signals = {signal.partition("(")[0] for signal in names["signals"]}
    return {*names["properties"], *names["methods"], *names["enumerators"], *signals} | _real(names["base"])


def test_properties_signals_and_methods_are_of_their_kind(standins: dict[str, type]) -> None:
    from PySide6.QtCore import Property, Signal
    from slicerapp.pythonqt import real_names

    wrong = []
    for cls in standins.values():
        properties = real_names(cls, "properties")
        signals = {signal.partition("(")[0] for signal in real_names(cls, "signals")}
        for name in (name for name in dir(cls) if not name.startswith("_")):
            value = next(vars(base)[name] for base in cls.__mro__ if name in vars(base))
            if isinstance(value, Property) and name not in properties | {"isEntered", "moduleName"}:
                wrong.append((cls.__name__, name))
            if isinstance(value, Signal) and name in vars(cls) and name not in signals:
                wrong.append((cls.__name__, name))
    assert not wrong


def test_the_header_reader_sees_what_pythonqt_shows() -> None:
    header = """
    class EXPORT qMyWidget : public QWidget
    {
      Q_OBJECT
      /// Q_PROPERTY(bool commented READ no)
      Q_PROPERTY(QString label READ label WRITE setLabel)
    public:
      enum Kind { First = 1, Second };
      explicit qMyWidget(QWidget* parent = nullptr);
      QString label() const { return this->Label; }
      Q_INVOKABLE vtkMRMLNode* node(int index = 0) const;
    public slots:
      void setLabel(const QString& label);
    protected slots:
      void onHidden();
    signals:
      void changed(vtkMRMLNode* node, const QString& text);
    private:
      int Label;
    };
    """
    assert read_header(header, "qMyWidget") == {
        "base": "QWidget",
        "properties": ["label"],
        "signals": ["changed(vtkMRMLNode*,QString)"],
        "methods": ["node", "setLabel"],
        "enumerators": ["First", "Second"],
    }


@pytest.mark.skipif(not set(HEADERS) & set(os.environ), reason="neither SLICER_SOURCE nor CTK_SOURCE is set")
def test_the_committed_names_are_those_of_the_headers() -> None:
    derived = derive()
    assert derived, "the source trees hold none of the headers"
    assert derived == {name: all_names()[name] for name in derived}
