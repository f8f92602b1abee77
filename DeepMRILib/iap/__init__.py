"""Acquisition parameters told from the image alone and checked against the header; audits without any model."""

from DeepMRILib.iap.calibration import Calibration, HeadCalibration
from DeepMRILib.iap.evaluating import evaluate
from DeepMRILib.iap.header import Header, read_header
from DeepMRILib.iap.layout import Head, Layout
from DeepMRILib.iap.model import Model, load_model
from DeepMRILib.iap.options import (
    AnalyseOptions,
    AuditOptions,
    CohortOptions,
    CompleteOptions,
    PredictOptions,
    SortOptions,
)
from DeepMRILib.iap.options_network import EvaluateOptions, SimulateOptions, TrainOptions
from DeepMRILib.iap.parameters import PARAMETERS, Parameter
from DeepMRILib.iap.result import (
    AnalysisResult,
    AuditResult,
    CohortResult,
    EvaluationResult,
    IAPResult,
    SimulationResult,
)
from DeepMRILib.iap.simulating import simulate, simulation
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.trained import IAPModel, TrainedModel
from DeepMRILib.iap.training import train

__all__ = [
    "PARAMETERS",
    "AnalyseOptions",
    "AnalysisResult",
    "AuditOptions",
    "AuditResult",
    "Calibration",
    "CohortOptions",
    "CohortResult",
    "CompleteOptions",
    "EvaluateOptions",
    "EvaluationResult",
    "Head",
    "HeadCalibration",
    "Header",
    "IAPModel",
    "IAPResult",
    "Layout",
    "Model",
    "Parameter",
    "PredictOptions",
    "SimulateOptions",
    "SimulationResult",
    "SliceSet",
    "SortOptions",
    "TrainOptions",
    "TrainedModel",
    "evaluate",
    "load_model",
    "read_header",
    "simulate",
    "simulation",
    "train",
]
