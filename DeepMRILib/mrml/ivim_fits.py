"""The fits of a series in the scene: which maps belong together, and how they are found again.

The first map of a fit (D, or ADC) leads the others: it says which fit it is, and holds a node reference to each of
them. So they are found after the scene was saved and loaded, a map that is deleted is simply missing, and the fits of
several methods and models to one series stand side by side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import slicer
import slicer.util

from DeepMRILib.ivim import IVIMResult
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.mrml.hierarchy import seenNode, sourceOf

MAP_ATTRIBUTE = "DeepMRI.Map"
"""Says which map a node holds: a second run leaves its colours and window as the user has set them."""
FIT_ATTRIBUTE = "DeepMRI.Fit"
"""Says of which fit a node is a result, as ``FitKind.key``."""
ROLE = "DeepMRI.fit."
"""Begins the roles under which the leading map refers to the fit's other nodes."""
METHODS = {"lsq": "least squares", "segmented": "segmented", "bayes": "Bayes", "ivimnet": "IVIM-NET"}
MODEL_NAMES = {"adc": "mono-exponential", "biexp": "bi-exponential", "triexp": "tri-exponential"}
LEADS = ("D", "ADC")


@dataclass(frozen=True)
class FitKind:
    """What tells the fits of one series apart.

    Attributes:
        method, model: as in ``FitOptions``.
        network: of the method ivimnet: the name of the network that was applied, or the preset of one that was
            trained on the series.
    """

    method: str
    model: str
    network: str = ""

    @classmethod
    def of(cls, options: Any, network: str = "") -> FitKind:
        """The kind that options (an object or a dictionary) and the name of a trained network make."""
        values = options if isinstance(options, Mapping) else vars(options)
        method = values["method"]
        return cls(method, values["model"], (network or values["preset"]) if method == "ivimnet" else "")

    @classmethod
    def ofResult(cls, result: IVIMResult, network: str = "") -> FitKind:
        """The kind of a finished fit."""
        if network:
            return cls("ivimnet", result.provenance.inputs["model"], network)
        return cls.of({**result.provenance.options, "model": result.provenance.inputs["model"]}, network)

    @classmethod
    def fromKey(cls, key: str) -> FitKind:
        """The kind that ``key`` has told."""
        return cls(*[*key.split("/"), "", "", ""][:3])

    @property
    def key(self) -> str:
        """As attributes keep it."""
        return f"{self.method}/{self.model}/{self.network}"

    @property
    def short(self) -> str:
        """As names of nodes end: "lsq", "lsq triexp", "ivimnet optim"."""
        return " ".join(filter(None, (self.method, self.network, self.model if self.model != "biexp" else "")))

    @property
    def title(self) -> str:
        """As legends and tables say it: "least squares, tri-exponential"."""
        method = " ".join(filter(None, (METHODS.get(self.method, self.method), self.network)))
        return method if self.model == "biexp" else f"{method}, {MODEL_NAMES.get(self.model, self.model)}"


@dataclass(frozen=True)
class FitNodes:
    """The nodes of one fit's results; None where there is none yet, or none was asked for.

    Attributes:
        more: those that the panel has no selectors for, by name: "D_sd" and the like, "R2", "RMSE", "quality",
            "predicted", "training".
    """

    DMap: Any = None
    fMap: Any = None
    D_starMap: Any = None
    ADCMap: Any = None
    f1Map: Any = None
    D_star1Map: Any = None
    f2Map: Any = None
    D_star2Map: Any = None
    S0Map: Any = None
    regionsTable: Any = None
    decayChart: Any = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def names(cls) -> list[str]:
        """The fields that the panel has selectors for; the module's parameters are called the same."""
        return [item.name for item in dataclasses.fields(cls) if item.name != "more"]

    @classmethod
    def namesOf(cls, model: str) -> list[str]:
        """Those of one model."""
        return [f"{name}Map" for name in MODELS[model].parameters] + ["regionsTable", "decayChart"]

    @property
    def lead(self) -> Any:
        """The leading map."""
        return self.DMap if self.DMap is not None else self.ADCMap


def findFits(seriesNode: Any) -> dict[FitKind, FitNodes]:
    """The fits of a series that are in the scene, the latest of each kind."""
    if seriesNode is None:
        return {}
    source, found = seenNode(seriesNode), {}
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(MAP_ATTRIBUTE) in LEADS and node.GetAttribute(FIT_ATTRIBUTE) and sourceOf(node) is source:
            kind = FitKind.fromKey(node.GetAttribute(FIT_ATTRIBUTE))
            if kind.model in MODELS:
                found[kind] = _nodesOf(node)
    return found


def _nodesOf(lead: Any) -> FitNodes:
    roles: list[str] = []
    lead.GetNodeReferenceRoles(roles)
    names = [role.removeprefix(ROLE) for role in roles if role.startswith(ROLE)]
    nodes = {name: lead.GetNodeReference(ROLE + name) for name in names}
    nodes[f"{lead.GetAttribute(MAP_ATTRIBUTE)}Map"] = lead
    known = {name: node for name, node in nodes.items() if name in FitNodes.names()}
    return FitNodes(
        **known, more={name: node for name, node in nodes.items() if name not in known and node is not None}
    )


def moreOf(nodes: FitNodes) -> dict[str, Any]:
    """The further results that the leading map of a fit refers to; none where there is no such map yet."""
    if nodes.lead is None or not nodes.lead.GetAttribute(FIT_ATTRIBUTE):
        return {}
    return dict(_nodesOf(nodes.lead).more)


def linkFit(nodes: FitNodes, kind: FitKind) -> None:
    """Let the leading map refer to the fit's other nodes, and say of each what it is a result of."""
    lead = nodes.lead
    others = {name: getattr(nodes, name) for name in FitNodes.names()} | dict(nodes.more)
    old: list[str] = []
    lead.GetNodeReferenceRoles(old)
    for role in old:
        if role.startswith(ROLE) and others.get(role.removeprefix(ROLE)) is None:
            lead.RemoveNodeReferenceIDs(role)
    for name, node in others.items():
        if node is None:
            continue
        node.SetAttribute(FIT_ATTRIBUTE, kind.key)
        if node is not lead:
            lead.SetNodeReferenceID(ROLE + name, node.GetID())


def isOfAnotherFit(node: Any, seriesNode: Any, kind: FitKind) -> bool:
    """Whether a node is the result of another series, method or model."""
    if node is None or not node.GetAttribute(FIT_ATTRIBUTE):
        return False
    ofSeries = seriesNode is not None and sourceOf(node) is seenNode(seriesNode)
    return node.GetAttribute(FIT_ATTRIBUTE) != kind.key or not ofSeries
