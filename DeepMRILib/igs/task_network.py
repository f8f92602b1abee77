"""The network that a job was given: opened and checked, and what the record of the job says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import require
from DeepMRILib.igs.dataset import SliceDataset

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class TaskNetwork:
    """A network ready to be asked.

    Attributes:
        module: on the CPU, in evaluation mode.
        name: of the model or file; the kind of module where it has none.
        sha256: of its file or weights; None of a module.
        about: ``part`` and ``seed`` of the data that it was trained on, where it says so.
    """

    module: torch.nn.Module
    name: str
    sha256: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def task_network(
    network: Any, dataset: SliceDataset, *, trust: bool = False, any_task: bool = False
) -> TaskNetwork | None:
    """The network as ``network_opened.open_network`` opens it, with its name and checksum; None without one.

    Raises:
        InputError, WeightsError: as ``open_network``.
        DependencyError: PyTorch is not installed.
    """
    if network is None:
        return None
    require("torch", "A network that does the task")
    from DeepMRILib.igs.network_opened import open_network
    from DeepMRILib.igs.trained import TrainedNetwork
    from DeepMRILib.model_store import CARD
    from DeepMRILib.weight_files import sha256_of

    if isinstance(network, (str, Path)):
        path = Path(network).expanduser()
        if path.is_file():
            module = open_network(path, dataset, trust=trust, any_task=any_task)
            return TaskNetwork(module, path.name, sha256_of(path))
        if not path.is_dir() or (path / CARD).exists():
            network = TrainedNetwork.load(path if path.is_dir() else network)
    module = open_network(network, dataset, trust=trust, any_task=any_task)
    if isinstance(network, TrainedNetwork):
        options = network.provenance.options
        about = {name: options[name] for name in ("part", "seed") if name in options}
        return TaskNetwork(module, network.name, network.provenance.weights_sha256, about)
    return TaskNetwork(module, network.name if isinstance(network, Path) else type(network).__name__)
