"""IVIM: diffusion and perfusion maps from multi-b-value MRI (intravoxel incoherent motion, Le Bihan et al. 1988)."""

from DeepMRILib.ivim.fitting import fit, predicted
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.phantom import PhantomOptions, phantom
from DeepMRILib.ivim.regions import roi_table
from DeepMRILib.ivim.result import IVIMResult, PhantomResult

__all__ = ["FitOptions", "IVIMResult", "PhantomOptions", "PhantomResult", "fit", "phantom", "predicted", "roi_table"]
