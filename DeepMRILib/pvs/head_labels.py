"""Label numbers and names of a head's parts, as in FreeSurfer's table of colours and SynthSeg."""

from __future__ import annotations

from typing import Literal

Contrast = Literal["t1", "t2", "flair"]

_SIDED = {
    "cerebral white matter": (2, 41),
    "cerebral cortex": (3, 42),
    "lateral ventricle": (4, 43),
    "inferior lateral ventricle": (5, 44),
    "cerebellum white matter": (7, 46),
    "cerebellum cortex": (8, 47),
    "thalamus": (10, 49),
    "caudate": (11, 50),
    "putamen": (12, 51),
    "pallidum": (13, 52),
    "hippocampus": (17, 53),
    "amygdala": (18, 54),
    "accumbens area": (26, 58),
    "ventral DC": (28, 60),
    "insula": (1035, 2035),
}
_SINGLE = {"3rd ventricle": 14, "4th ventricle": 15, "brain-stem": 16, "CSF": 24}
_OUTSIDE = {"skin": 118, "muscle": 123, "fat": 125, "marrow": 129, "globe": 134, "skull": 165}

NAMES: dict[int, str] = {
    **{left: f"Left {name}" for name, (left, _) in _SIDED.items()},
    **{right: f"Right {name}" for name, (_, right) in _SIDED.items()},
    **{number: name for name, number in _SINGLE.items()},
    **{number: name for name, number in _OUTSIDE.items()},
}
"""Label to name."""
LABELS: dict[str, tuple[int, int]] = {
    **_SIDED,
    **{name: (number, number) for name, number in {**_SINGLE, **_OUTSIDE}.items()},
}
"""Name of a part to its number on the left and on the right; both are the same where it has no sides."""
OUTSIDE = tuple(_OUTSIDE.values())
"""What lies outside the brain and its fluid."""
WHITE_MATTER = (2, 41, 77, 78, 79, 251, 252, 253, 254, 255)
"""White matter of the cerebrum, with FreeSurfer's hypointensities and parts of the corpus callosum."""
BASAL_GANGLIA = (11, 12, 13, 26, 50, 51, 52, 58)
VENTRICLES = (4, 5, 14, 15, 31, 43, 44, 63, 72, 80)
"""With the choroid plexus and the fifth ventricle; 80 are non-white-matter hypointensities."""

BRIGHTNESS: dict[str, tuple[float, float, float]] = {
    "cerebral white matter": (0.84, 0.36, 0.42),
    "cerebral cortex": (0.58, 0.50, 0.58),
    "lateral ventricle": (0.17, 1.00, 0.12),
    "inferior lateral ventricle": (0.18, 0.98, 0.13),
    "cerebellum white matter": (0.83, 0.38, 0.43),
    "cerebellum cortex": (0.58, 0.50, 0.56),
    "thalamus": (0.70, 0.43, 0.50),
    "caudate": (0.61, 0.46, 0.55),
    "putamen": (0.64, 0.43, 0.53),
    "pallidum": (0.77, 0.32, 0.44),
    "hippocampus": (0.58, 0.52, 0.62),
    "amygdala": (0.57, 0.51, 0.60),
    "accumbens area": (0.60, 0.47, 0.55),
    "ventral DC": (0.76, 0.39, 0.47),
    "insula": (0.58, 0.50, 0.60),
    "3rd ventricle": (0.17, 1.00, 0.12),
    "4th ventricle": (0.18, 0.98, 0.14),
    "brain-stem": (0.79, 0.39, 0.46),
    "CSF": (0.19, 0.97, 0.14),
    "skin": (0.55, 0.30, 0.35),
    "muscle": (0.42, 0.22, 0.30),
    "fat": (1.05, 0.70, 0.62),
    "marrow": (0.62, 0.40, 0.35),
    "globe": (0.20, 0.95, 0.15),
    "skull": (0.07, 0.05, 0.04),
}
"""Of each part, relative to the scanner's largest tissue signal, in T1, T2 and FLAIR: chosen to look right."""
