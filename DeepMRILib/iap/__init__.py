"""Acquisition parameters told from the image alone and checked against the header; audits without any model."""

from DeepMRILib.iap.analysing import analyse
from DeepMRILib.iap.audit import audit
from DeepMRILib.iap.calibration import Calibration, HeadCalibration
from DeepMRILib.iap.completing import complete, complete_job, complete_sidecar
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
from DeepMRILib.iap.predicting import predict, predict_job
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
from DeepMRILib.iap.sorting import sort_cohort
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
    "analyse",
    "audit",
    "complete",
    "complete_job",
    "complete_sidecar",
    "evaluate",
    "load_model",
    "predict",
    "predict_job",
    "read_header",
    "simulate",
    "simulation",
    "sort_cohort",
    "train",
]
