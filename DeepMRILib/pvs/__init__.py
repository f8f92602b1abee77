"""Perivascular spaces of the brain: the SHIVA networks in PyTorch, a network of our own, and filters for thin tubes."""

from DeepMRILib.pvs.evaluating import Evaluation, evaluate
from DeepMRILib.pvs.head import generated_head
from DeepMRILib.pvs.imported import ImportedNetworks
from DeepMRILib.pvs.importer import load_keras
from DeepMRILib.pvs.importing import import_model, import_networks
from DeepMRILib.pvs.models import models
from DeepMRILib.pvs.options import ImportOptions, RelabelOptions, SegmentOptions
from DeepMRILib.pvs.options_evaluate import EvaluateOptions
from DeepMRILib.pvs.options_training import TrainOptions
from DeepMRILib.pvs.phantom import PhantomResult, phantom, phantom_job
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.pvs.relabel import Relabelled, relabel, relabelled
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.pvs.segmenting import segment, segment_job
from DeepMRILib.pvs.trained import TrainedNetwork
from DeepMRILib.pvs.training import train

__all__ = [
    "EvaluateOptions",
    "Evaluation",
    "ImportOptions",
    "ImportedNetworks",
    "PVSResult",
    "PhantomOptions",
    "PhantomResult",
    "RelabelOptions",
    "Relabelled",
    "SegmentOptions",
    "TrainOptions",
    "TrainedNetwork",
    "evaluate",
    "generated_head",
    "import_model",
    "import_networks",
    "load_keras",
    "models",
    "phantom",
    "phantom_job",
    "relabel",
    "relabelled",
    "segment",
    "segment_job",
    "train",
]
