"""The tissues of the abdominal phantom and their parameters.

D, f and D* of organs are those of the reference signals of the OSIPI IVIM collection (generic.json, Apache-2.0,
github.com/OSIPI/TF2.4_IVIM-MRI_CodeCollection). Fluids, fat, gas, bone, blood and the lesions are not in it: theirs
are chosen here, f = 0 for what is not perfused, and lesions as they look at b = 800 s/mm2 (metastasis bright,
haemangioma and cyst not). S0 relative to liver is chosen to look like a fat-suppressed T2-weighted EPI.
"""

from __future__ import annotations

from typing import NamedTuple


class Tissue(NamedTuple):
    """One tissue.

    Attributes:
        name: as in the table of regions.
        s0: signal at b = 0, relative to liver.
        D: diffusion coefficient in mm2/s.
        f: perfusion fraction.
        D_star: pseudo-diffusion coefficient in mm2/s; 0 where f is 0, for it is not defined there.
        texture: relative spread of S0 over millimetres.
    """

    name: str
    s0: float
    D: float
    f: float
    D_star: float
    texture: float = 0.03


TISSUES: dict[str, Tissue] = {
    "liver": Tissue("liver", 1.0, 1.5e-3, 0.11, 0.10, 0.035),
    "spleen": Tissue("spleen", 1.85, 1.3e-3, 0.20, 0.03),
    "kidney_cortex": Tissue("kidney cortex", 2.1, 2.12e-3, 0.097, 0.02),
    "kidney_medulla": Tissue("kidney medulla", 2.35, 2.09e-3, 0.158, 0.019),
    "pancreas": Tissue("pancreas", 1.25, 1.3e-3, 0.15, 0.01, 0.07),
    "muscle": Tissue("muscle", 0.62, 1.37e-3, 0.10, 0.0263, 0.06),
    "stomach": Tissue("stomach wall", 1.15, 1.5e-3, 0.30, 0.012, 0.06),
    "bowel": Tissue("bowel wall", 1.05, 1.31e-3, 0.69, 0.029, 0.12),
    "metastasis": Tissue("liver metastasis", 1.9, 0.90e-3, 0.06, 0.03, 0.05),
    "haemangioma": Tissue("liver haemangioma", 2.6, 1.9e-3, 0.14, 0.02),
    "cyst": Tissue("liver cyst", 3.3, 2.8e-3, 0.0, 0.0),
    "gallbladder": Tissue("gallbladder", 3.3, 2.9e-3, 0.0, 0.0),
    "fat": Tissue("fat", 0.12, 0.30e-3, 0.0, 0.0, 0.15),
    "bone": Tissue("cortical bone and disc", 0.10, 0.60e-3, 0.0, 0.0),
    "marrow": Tissue("bone marrow", 0.50, 0.43e-3, 0.145, 0.05, 0.08),
    "csf": Tissue("cerebrospinal fluid", 3.4, 3.0e-3, 0.0, 0.0),
    "cord": Tissue("spinal cord", 1.5, 0.41e-3, 0.178, 0.0289),
    "lung": Tissue("lung", 0.05, 1.5e-3, 0.0, 0.0, 0.3),
    "bowel_content": Tissue("bowel content", 1.3, 2.0e-3, 0.0, 0.0, 0.25),
    "gas": Tissue("gas", 0.02, 1.0e-3, 0.0, 0.0),
    "stomach_content": Tissue("stomach content", 1.7, 2.4e-3, 0.0, 0.0, 0.05),
    "blood": Tissue("blood vessel", 1.5, 1.75e-3, 0.92, 0.11),
}
LABELS: dict[str, int] = {key: number for number, key in enumerate(TISSUES, start=1)}
"""Label of each tissue, the organs that are studied first; 0 is air around the patient."""
