"""The networks that the SHIVA group has published for perivascular spaces, and how a downloaded one is recognised.

Names, dates, check sums and addresses are those of github.com/pboutinaud/SHIVA_PVS and the files that come with the
networks. DeepMRI brings none of the weights along: who wants them downloads them and agrees to their licence.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.pvs.engine import Modality
from DeepMRILib.pvs.options import IntensityRule

LICENCE = "CC-BY-NC-SA-4.0"
LICENCE_TEXT = (
    "Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International (CC BY-NC-SA 4.0), "
    "https://creativecommons.org/licenses/by-nc-sa/4.0/. What these networks find must not be used for clinical "
    "purposes."
)
"""What the authors state about the weights."""
CITATION = (
    "Boutinaud et al., 3D segmentation of perivascular spaces on T1-weighted 3 Tesla MR images with a convolutional "
    "autoencoder and a U-shaped neural network, Front Neuroinform 2021, doi:10.3389/fninf.2021.641600"
)
AUTHORS = "Boutinaud et al. (Fealinx and GIN, Bordeaux)"
REPOSITORY = "https://github.com/pboutinaud/SHIVA_PVS"
_CLOUD = "https://cloud.efixia.com/sharing/"
_JUNK = ("thumbs.db", "desktop.ini", "__macosx")


@dataclass(frozen=True)
class PublishedSet:
    """One generation of networks; its folds are averaged.

    Attributes:
        key: the name that a model of it gets.
        title: in words.
        version: as the authors count.
        date: when it was published, in ISO 8601; the month or year where no more is known.
        images: what it takes, in this order.
        intensity: how its images' brightness is scaled.
        pattern: of the file names; its group is the fold's number.
        md5: of each fold (``digest``); empty where the authors give none.
        count: of folds.
        page: where it can be downloaded.
        form: one HDF5 file for each fold, or one SavedModel folder.
        takes_t2: its authors say that it also works on a T2 with inverted brightness.
    """

    key: str
    title: str
    version: str
    date: str
    images: tuple[Modality, ...]
    intensity: IntensityRule
    pattern: str
    md5: tuple[str, ...]
    count: int
    page: str
    form: Literal["file", "folder"]
    takes_t2: bool = False

    def fold_in_name(self, name: str) -> int | None:
        """The fold that a file of this name would be, None for other names."""
        found = re.search(self.pattern, name, re.IGNORECASE)
        fold = int(found[1]) if found else None
        return fold if fold is not None and fold < self.count else None


@dataclass(frozen=True)
class Recognised:
    """What a file or folder is: the set, the fold's number from 0, and whether its content or its name told."""

    published: PublishedSet
    fold: int
    by: Literal["md5", "name"]


def digest(path: Path) -> str:
    """The MD5 of a file, or of a folder: of the bytes of all its files, one after the other, sorted by path.

    Files that only a file browser puts there do not count.

    Raises:
        WeightsError: something cannot be read.
    """
    total = hashlib.md5(usedforsecurity=False)
    try:
        for file in sorted(_files(path), key=lambda one: one.relative_to(path).parts):
            with file.open("rb") as stream:
                while piece := stream.read(1024**2):
                    total.update(piece)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error}.") from error
    return total.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not is_junk(name)]
        files = (Path(folder, name) for name in names if not is_junk(name))
        yield from (file for file in files if file.is_file())  # a pipe would never end


def is_junk(name: str) -> bool:
    """Whether a file of this name is hidden or made by a file browser.

    Example:
        >>> is_junk("._fold_0.h5"), is_junk("__MACOSX"), is_junk("fold_0.h5")
        (True, True, False)
    """
    return name.startswith(".") or name.lower() in _JUNK


def recognise(path: Path, *, sets: tuple[PublishedSet, ...] | None = None) -> Recognised | None:
    """Which fold of which published set a file or SavedModel folder is; None for any other.

    Its content tells (MD5), whatever its name. Of one set the authors give no check sums: there its name tells.

    Args:
        path: the file or folder.
        sets: all published ones when None.

    Raises:
        WeightsError: it has the name of a published fold and another content; says both check sums. Or not readable.
    """
    path = Path(path)
    sets = SETS if sets is None else sets
    form = "folder" if path.is_dir() else "file"
    candidates = [one for one in sets if one.form == form]
    if not any(one.md5 or one.fold_in_name(path.name) is not None for one in candidates):
        return None
    found = digest(path)
    for one in candidates:
        if found in one.md5:
            return Recognised(one, one.md5.index(found), "md5")
    for one in candidates:
        fold = one.fold_in_name(path.name)
        if fold is None:
            continue
        if one.md5:
            raise WeightsError(
                f"{path} is damaged: it has the name of fold {fold} of {one.title}, whose MD5 is {one.md5[fold]}, and "
                f"its own is {found}. Download the set again from {one.page}; if it is another network, rename it."
            )
        return Recognised(one, fold, "name")
    return None


def published_set(key: str) -> PublishedSet:
    """The published set of that key.

    Raises:
        InputError: there is none.

    Example:
        >>> published_set("shiva-pvs-v1-t1").count
        6
    """
    for one in SETS:
        if one.key == key:
            return one
    raise InputError(f"There is no published set {key!r}; there are {', '.join(one.key for one in SETS)}.")


_RESIDUAL = r"ResUnet3D-8\.9\.2-1\.5-T1"
_FLAIR = r"[._-]FLAIR"

SETS: tuple[PublishedSet, ...] = (
    PublishedSet(
        key="shiva-pvs-v0-t1",
        title="SHIVA PVS v0 (T1)",
        version="v0",
        date="2021-03-04",
        images=("t1",),
        intensity="p99_to_1",
        pattern=r"Unet\.8\.7\.2\.T1\.VRS_finalk751_fold_(\d)_model",
        md5=(
            "6718054216d387af4df3f98f91ec674c",
            "0e59843b68532145ba4e28f6d2617695",
            "ed5df79d91ab0d06fb267f3e2c18750e",
            "57a2acfa38dbfd6b48b8731b97d8f800",
            "b8d99161a957fcfe2eb021fbb0ec5389",
        ),
        count=5,
        page=_CLOUD + "dDqjx2DCq",
        form="file",
    ),
    PublishedSet(
        key="shiva-pvs-v1-t1",
        title="SHIVA PVS v1 (T1)",
        version="v1",
        date="2021-10-30",
        images=("t1",),
        intensity="p99_to_1",
        pattern=r"Unet3Dv2-10\.7\.2-1\.8-T1\.VRS_fold_1x6_pi_fold_(\d)_model",
        md5=(
            "374b219ace508b89d2ecdafd29a9183a",
            "1ccb95db16d73f738a2c6029b4f53dd2",
            "645407143774d17a381273e1fbdf7822",
            "c416d84b3f9e7eaaf5ad7a0a190c8ee3",
            "6d025263562b7c5c419580253ecfbb57",
            "cf79fd4e8184e1828a3da45ff788183b",
        ),
        count=6,
        page=_CLOUD + "wknXOu07H",
        form="file",
    ),
    PublishedSet(
        key="shiva-pvs-v1-t1-flair",
        title="SHIVA PVS v1 (T1 and FLAIR)",
        version="v1",
        date="2022-02-23",
        images=("t1", "flair"),
        intensity="p99_to_1",
        pattern=r"Unet3Dv2-10\.7\.2-1\.8-T1" + _FLAIR + r"\.VRS_fold_VRS_1x5_fromMH_fold_(\d)_model",
        md5=(
            "ac5a449ee5b9db90e8534d4445146fa4",
            "a5300b48d60608c1e9c6325af099d8c0",
            "54538fb689aed937fe050b1ce292487a",
            "469238ef2c86bc6dfca404c088d07a55",
            "b23c68d7f81c946788c5310a752f0a89",
        ),
        count=5,
        page=_CLOUD + "Dg49eKSPR",
        form="file",
    ),
    PublishedSet(
        key="shiva-pvs-v2-t1",
        title="SHIVA PVS v2 (T1, or T2 inverted)",
        version="v2",
        date="2024-05-11",
        images=("t1",),
        intensity="shivai_1.3",
        pattern=_RESIDUAL + r"\.VRS_fold_VRS_1x5_fold_(\d)_bestvalloss",
        md5=(
            "00055f9c6190744e364c53dce3cc4300",
            "c921d856c6783835bb8f4119097aeab9",
            "adf24e3ee32c5e1898ce5ba0430f4e4e",
            "361957f25caf2b5b58d558f607fc0aa1",
            "914bfa061b2ca67294f164e6f985bfdb",
        ),
        count=5,
        page=_CLOUD + "W0YpwQzzB",
        form="folder",
        takes_t2=True,
    ),
    PublishedSet(
        key="shiva-pvs-v3-t1",
        title="SHIVA PVS v3 (T1, or T2 inverted)",
        version="v3",
        date="2026-02-16",
        images=("t1",),
        intensity="shivai_1.3",
        pattern=_RESIDUAL + r"\.VRS_prodT1only_fold_(\d)_bestvalloss",
        md5=(),
        count=5,
        page=REPOSITORY,
        form="folder",
        takes_t2=True,
    ),
    PublishedSet(
        key="shiva-pvs-v3-t1-flair",
        title="SHIVA PVS v3 (T1 and FLAIR)",
        version="v3",
        date="2026",
        images=("t1", "flair"),
        intensity="shivai_1.3",
        pattern=_RESIDUAL + _FLAIR + r"\.VRS_prodT1only_fold_(\d)_",
        md5=(),
        count=5,
        page=REPOSITORY,
        form="folder",
    ),
    PublishedSet(
        key="shiva-pvs-v4-t1",
        title="SHIVA PVS v4 (T1, or T2 inverted)",
        version="v4",
        date="2026-06-08",
        images=("t1",),
        intensity="shivai_1.3",
        pattern=_RESIDUAL + r"\.VRS_production_brainmaskaug_restageB_fold_(\d)_bestvalloss",
        md5=(
            "a6ebf84eae5ccb114831bad03da0a466",
            "ff6f84bef7649c07923f4308cadd0c01",
            "64e14ed853edc7128c0d835d59815ff5",
            "f7d89881abf4d1637bb9deffc04b3cce",
            "578021b323fb00b757b97f4444e03b9b",
        ),
        count=5,
        page=_CLOUD + "Zvbj1CpkM",
        form="folder",
        takes_t2=True,
    ),
    PublishedSet(
        key="shiva-pvs-v4-t1-flair",
        title="SHIVA PVS v4 (T1 and FLAIR)",
        version="v4",
        date="2026-06-08",
        images=("t1", "flair"),
        intensity="shivai_1.3",
        pattern=r"2026060\d-.*T1" + _FLAIR + r".*restageB_fold_(\d)_",
        md5=(
            "06bff01478b7e132191b18400b500226",
            "7aed01b76c1dd727ba1208d2a6c8d0b1",
            "4df01aa1f94c07c9bc30cab577d176f2",
            "ff98bb3933e833bbf1f7f2235a1e293f",
            "732b998018734b50ddad32bce6a3e092",
        ),
        count=5,
        page=_CLOUD + "7r5t1hLTt",
        form="folder",
    ),
)
"""All that are published, in the order of their appearance."""
