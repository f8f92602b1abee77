"""IVIM: diffusion and perfusion maps from multi-b-value MRI (intravoxel incoherent motion, Le Bihan et al. 1988)."""

from DeepMRILib.ivim.evaluate import evaluate
from DeepMRILib.ivim.evaluation import EvaluateOptions, Evaluation
from DeepMRILib.ivim.fitting import fit, predicted
from DeepMRILib.ivim.ivimnet import apply
from DeepMRILib.ivim.options import ApplyOptions, FitOptions
from DeepMRILib.ivim.phantom import PhantomOptions, phantom
from DeepMRILib.ivim.regions import roi_table
from DeepMRILib.ivim.result import IVIMResult, PhantomResult
from DeepMRILib.ivim.scores import evaluate_maps
from DeepMRILib.ivim.simulate import SimulateOptions, Simulation, simulate, simulation
from DeepMRILib.ivim.squares import SquaresOptions, squares
from DeepMRILib.ivim.studies import TrainOptions, train
from DeepMRILib.ivim.trained import TrainedModel

__all__ = [
    "ApplyOptions",
    "EvaluateOptions",
    "Evaluation",
    "FitOptions",
    "IVIMResult",
    "PhantomOptions",
    "PhantomResult",
    "SimulateOptions",
    "Simulation",
    "SquaresOptions",
    "TrainOptions",
    "TrainedModel",
    "apply",
    "evaluate",
    "evaluate_maps",
    "fit",
    "phantom",
    "predicted",
    "roi_table",
    "simulate",
    "simulation",
    "squares",
    "train",
]
