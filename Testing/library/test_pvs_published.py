"""The published sets: what is known of them, and how a downloaded file or folder is recognised."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.model_card import check_name
from DeepMRILib.pvs.models import models
from DeepMRILib.pvs.published import LICENCE_TEXT, SETS, digest, is_junk, published_set, recognise

V0 = "20210304-114815_Unet.8.7.2.T1.VRS_finalk751_fold_{}_model.h5"
V1 = "20211030-162753_Unet3Dv2-10.7.2-1.8-T1.VRS_fold_1x6_pi_fold_{}_model.h5"
V1_FLAIR = "20220223-182702_Unet3Dv2-10.7.2-1.8-T1_FLAIR.VRS_fold_VRS_1x5_fromMH_fold_{}_model.h5"
V2 = "ResUnet3D-8.9.2-1.5-T1.VRS_fold_VRS_1x5_fold_{}_bestvalloss"
V3 = "20241214-162357_ResUnet3D-8.9.2-1.5-T1.VRS_prodT1only_fold_{}_bestvalloss.tf_inference"
V3_FLAIR = "20250109-101112_ResUnet3D-8.9.2-1.5-T1_FLAIR.VRS_prodT1only_fold_{}_bestvalloss.tf_inference"
V4 = "20260601-101112_ResUnet3D-8.9.2-1.5-T1.VRS_production_brainmaskaug_restageB_fold_{}_bestvalloss.tf_inference"
V4_FLAIR = (
    "20260604-101112_ResUnet3D-8.9.2-1.5-T1_FLAIR.VRS_production_brainmaskaug_restageB_fold_{}_bestvalloss.tf_inference"
)
NAMES = (V0, V1, V1_FLAIR, V2, V3, V3_FLAIR, V4, V4_FLAIR)


def test_the_sets_are_told_completely_and_no_fold_is_in_two() -> None:
    assert [one.version for one in SETS] == ["v0", "v1", "v1", "v2", "v3", "v3", "v4", "v4"]
    assert [one.count for one in SETS] == [5, 6, 5, 5, 5, 5, 5, 5]
    sums = [md5 for one in SETS for md5 in one.md5]
    assert len(set(sums)) == len(sums) == 31
    assert all(len(md5) == 32 and int(md5, 16) for md5 in sums)
    for one in SETS:
        assert len(one.md5) in (0, one.count)
        assert check_name(one.key) == one.key
        assert one.page.startswith("https://")
        assert one.intensity == ("p99_to_1" if one.version in ("v0", "v1") else "shivai_1.3")
        assert one.takes_t2 == (one.version in ("v2", "v3", "v4") and one.images == ("t1",))
    assert [one.key for one in SETS if not one.md5] == ["shiva-pvs-v3-t1", "shiva-pvs-v3-t1-flair"]
    assert "not be used for clinical" in LICENCE_TEXT
    with pytest.raises(InputError, match="no published set 'v9'; there are shiva-pvs-v0-t1,"):
        published_set("v9")


@pytest.mark.parametrize(("number", "name"), list(enumerate(NAMES)))
def test_a_name_belongs_to_one_set(number: int, name: str) -> None:
    for fold in range(SETS[number].count):
        assert [one.fold_in_name(name.format(fold)) for one in SETS] == [
            fold if other == number else None for other in range(len(SETS))
        ]
    assert SETS[number].fold_in_name(name.format(SETS[number].count)) is None


def test_the_sum_of_a_folder_is_that_of_its_files_by_path(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"three")
    (tmp_path / "variables" / "variables.data-00000-of-00001").write_bytes(b"two")
    (tmp_path / "saved_model.pb").write_bytes(b"one")
    expected = hashlib.md5(b"onetwothree").hexdigest()
    assert digest(tmp_path) == expected
    (tmp_path / ".DS_Store").write_bytes(b"junk")
    (tmp_path / "variables" / "._variables.index").write_bytes(b"junk")
    assert digest(tmp_path) == expected
    assert digest(tmp_path / "saved_model.pb") == hashlib.md5(b"one").hexdigest()
    assert not is_junk("saved_model.pb")


def test_the_content_tells_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "my network.h5").write_bytes(b"weights")
    sets = (replace(SETS[1], md5=("0" * 32,) * 4 + (hashlib.md5(b"weights").hexdigest(),) + ("1" * 32,)),)
    found = recognise(tmp_path / "my network.h5", sets=sets)
    assert found is not None
    assert (found.published, found.fold, found.by) == (sets[0], 4, "md5")
    assert recognise(tmp_path / "my network.h5") is None


def test_a_published_name_with_other_content_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / V1.format(2)
    file.write_bytes(b"half of it")
    with pytest.raises(WeightsError) as caught:
        recognise(file)
    text = str(caught.value)
    assert file.name in text
    assert SETS[1].md5[2] in text
    assert hashlib.md5(b"half of it").hexdigest() in text
    assert SETS[1].page in text
    folder = tmp_path / V4.format(0)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"half of it")
    with pytest.raises(WeightsError, match=SETS[6].md5[0]):
        recognise(folder)


def test_a_set_without_sums_is_told_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / V3.format(3)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    found = recognise(folder)
    assert found is not None
    assert (found.published.key, found.fold, found.by) == ("shiva-pvs-v3-t1", 3, "name")


def test_a_file_of_a_folders_name_is_not_of_that_set(tmp_path: Path) -> None:
    file = tmp_path / V2.format(1)
    file.write_bytes(b"a file, and v2 has folders")
    assert recognise(file) is None


def test_the_table_of_models_lists_what_is_published() -> None:
    table = models()
    count = len(SETS)
    assert table.columns["name"][:count] == [one.key for one in SETS]
    assert set(table.columns["here"][:count]) == {"no"}
    assert set(table.columns["licence"][:count]) == {"CC-BY-NC-SA-4.0"}
    assert set(table.columns["here"][count:]) <= {"with the extension"}
    assert list(table.columns) == ["name", "model", "date", "images", "folds", "licence", "page", "here"]
