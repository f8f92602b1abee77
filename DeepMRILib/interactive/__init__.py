"""Interactive segmentation: a lesion from six points placed just inside its margin (InteractiveNet)."""

from DeepMRILib.interactive.export import ExportResult, export, export_case
from DeepMRILib.interactive.importing import import_upstream
from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.options_pipeline import ExportOptions, PlanOptions
from DeepMRILib.interactive.options_training import ImportOptions, PredictOptions, TestOptions, TrainOptions
from DeepMRILib.interactive.phantom import PhantomOptions, PhantomResult, lesion_phantom, phantom
from DeepMRILib.interactive.phantom_dataset import phantom_dataset
from DeepMRILib.interactive.planning import PlanResult, plan
from DeepMRILib.interactive.points_job import PointsOptions, PointsResult, points
from DeepMRILib.interactive.predicting import PredictResult, predict
from DeepMRILib.interactive.result import InteractiveResult
from DeepMRILib.interactive.segmenting import segment
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.interactive.testing import TestResult, test
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.interactive.training import train

__all__ = [
    "ExportOptions",
    "ExportResult",
    "ImportOptions",
    "InteractiveResult",
    "PhantomOptions",
    "PhantomResult",
    "PlanOptions",
    "PlanResult",
    "PointsOptions",
    "PointsResult",
    "PredictOptions",
    "PredictResult",
    "SegmentOptions",
    "TestOptions",
    "TestResult",
    "TrainOptions",
    "TrainedModel",
    "export",
    "export_case",
    "import_upstream",
    "lesion_phantom",
    "phantom",
    "phantom_dataset",
    "plan",
    "points",
    "predict",
    "segment",
    "synthetic_points",
    "test",
    "train",
]
