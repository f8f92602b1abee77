"""k-space patterns: which lines to acquire so that the task is served best, by iterative gradient sampling (IGS)."""

from DeepMRILib.igs.applying import undersample
from DeepMRILib.igs.applying_job import apply
from DeepMRILib.igs.baselines import baseline
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.evaluating import evaluate
from DeepMRILib.igs.exporting import ExportOptions, export
from DeepMRILib.igs.finding import find_pattern
from DeepMRILib.igs.finding_job import find
from DeepMRILib.igs.finetuning import finetune, finetune_job
from DeepMRILib.igs.options import DataOptions, FindOptions, PatternOptions
from DeepMRILib.igs.options_network import ApplyOptions, FinetuneOptions, TestOptions, TrainOptions
from DeepMRILib.igs.pattern import Pattern, Rung
from DeepMRILib.igs.phantoms import lesion_phantom, ring_phantom, stripe_phantom
from DeepMRILib.igs.result import AppliedPattern, Evaluation, ExportResult, PatternResult, SampleResult
from DeepMRILib.igs.sampling import SampleOptions, sample
from DeepMRILib.igs.sources import read_dataset
from DeepMRILib.igs.testing import test
from DeepMRILib.igs.trained import TrainedNetwork
from DeepMRILib.igs.training import train, train_network

__all__ = [
    "AppliedPattern",
    "ApplyOptions",
    "DataOptions",
    "Encoding",
    "Evaluation",
    "ExportOptions",
    "ExportResult",
    "FindOptions",
    "FinetuneOptions",
    "Pattern",
    "PatternOptions",
    "PatternResult",
    "Rung",
    "SampleOptions",
    "SampleResult",
    "SliceDataset",
    "TestOptions",
    "TrainOptions",
    "TrainedNetwork",
    "apply",
    "baseline",
    "evaluate",
    "export",
    "find",
    "find_pattern",
    "finetune",
    "finetune_job",
    "lesion_phantom",
    "read_dataset",
    "ring_phantom",
    "sample",
    "stripe_phantom",
    "test",
    "train",
    "train_network",
    "undersample",
]
