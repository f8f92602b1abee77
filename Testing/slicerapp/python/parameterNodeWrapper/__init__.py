"""Stand-in for ``slicer.parameterNodeWrapper``: typed settings in a real vtkMRMLScriptedModuleNode, bound to widgets.

It stores values under the same parameter names and texts as Slicer's own, so scenes saved with one are read by the
other, and it raises where Slicer's raises. Not here: parameter packs, ranges, dict, Any and colors.
"""

from .annotations import (
    Choice,
    Decimals,
    Default,
    Exclude,
    IsInstance,
    Maximum,
    Minimum,
    NotNone,
    SingleStep,
    Validator,
    WithinRange,
)
from .annotations import find_annotation as findFirstAnnotation
from .annotations import split as splitAnnotations
from .annotations import unannotated as unannotatedType
from .connectors import createGuiConnector
from .wrapper import (
    SlicerParameterNamePropertyName,
    findChildWidgetForParameter,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "createGuiConnector",
    "findChildWidgetForParameter",
    "findFirstAnnotation",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
    "splitAnnotations",
    "unannotatedType",
]
