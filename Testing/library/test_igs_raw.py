"""Raw data become slices: fastMRI, ISMRMRD, NumPy's files; and what is not such data is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import h5py
import igs_raw
import ismrmrd
import numpy as np
import pytest

from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.igs import DataOptions, read_dataset
from DeepMRILib.igs.kspace import to_kspace

RSS, SENSE, VOLUME = DataOptions(), DataOptions(coils="sense"), DataOptions(slice_axis="volume")


@pytest.fixture
def images() -> np.ndarray:
    return igs_raw.object_images()


@pytest.fixture
def kspace(images: np.ndarray) -> np.ndarray:
    return igs_raw.multi_coil(images, 4)


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(np.abs(found), wanted, atol=2e-5)


def test_an_array_of_several_coils_is_combined(tmp_path: Path, images: np.ndarray, kspace: np.ndarray) -> None:
    np.save(tmp_path / "scan.npy", kspace)
    found = read_dataset(tmp_path / "scan.npy", RSS)
    close(found.images[:, 0], images)
    assert found.coil_images.shape == (2, 1, 4, 24, 20)
    assert set(found.cases) == {"scan"}
    assert not found.is_simulated


def test_an_array_of_one_coil_keeps_its_phase(tmp_path: Path, images: np.ndarray) -> None:
    turned = images[0] * np.exp(0.7j)
    np.savez(tmp_path / "scan.npz", kspace=to_kspace(turned, (-2, -1)), other=np.zeros(3))
    found = read_dataset(f"{tmp_path / 'scan.npz'}:kspace", RSS)
    np.testing.assert_allclose(found.images[0, 0], turned, atol=2e-5)
    assert found.coil_images is None


def test_dc_at_the_corner_is_put_in_the_middle(tmp_path: Path, images: np.ndarray, kspace: np.ndarray) -> None:
    np.save(tmp_path / "corner.npy", np.fft.ifftshift(kspace, axes=(-2, -1)))
    found = read_dataset(tmp_path / "corner.npy", RSS)
    close(found.images[:, 0], images)
    assert any("corner" in note for note in found.notes)


def test_an_image_instead_of_kspace_is_pointed_out(tmp_path: Path) -> None:
    image = np.zeros((24, 20), complex)
    image[6, 4] = 1
    np.save(tmp_path / "image.npy", image)
    assert any("far from the middle" in note for note in read_dataset(tmp_path / "image.npy", RSS).notes)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((4, 8, 8)), "real numbers"),
        (np.ones((2, 1, 1, 8, 8), complex), r"shape \(2, 1, 1, 8, 8\)"),
        (np.full((8, 8), np.nan + 0j), "NaN"),
        (np.zeros((8, 8), complex), "0 everywhere"),
    ],
)
def test_arrays_that_are_no_kspace_are_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(InputError, match=f"bad.npy.*{words}"):
        read_dataset(tmp_path / "bad.npy", RSS)


def test_raw_data_take_no_labels_and_no_other_slicing(tmp_path: Path, kspace: np.ndarray) -> None:
    np.save(tmp_path / "scan.npy", kspace)
    with pytest.raises(InputError, match="Labels can be given with one image"):
        read_dataset(tmp_path / "scan.npy", RSS, labels=tmp_path / "labels.nii.gz")
    with pytest.raises(InputError, match="slice by slice"):
        read_dataset(tmp_path / "scan.npy", DataOptions(slice_axis="i"))


@pytest.mark.parametrize("coils", [1, 4])
def test_fastmri_files_are_cut_to_the_rows_of_their_reconstruction(tmp_path: Path, coils: int) -> None:
    wide = np.zeros((2, 48, 20))
    wide[:, 12:36] = igs_raw.object_images()
    kspace = igs_raw.multi_coil(wide, coils)
    path = igs_raw.write_fastmri(tmp_path / "file1.h5", kspace if coils > 1 else kspace[:, 0], rows=24, patient="p7")
    found = read_dataset(path, RSS)
    close(found.images[:, 0], igs_raw.object_images())
    assert set(found.cases) == {"p7"}
    assert not any("differs" in note for note in found.notes)


def test_the_header_of_fastmri_gives_the_spacing(tmp_path: Path, kspace: np.ndarray) -> None:
    header = igs_raw.xml_header((24, 20, 1), edge=1.5)
    found = read_dataset(igs_raw.write_fastmri(tmp_path / "f.h5", kspace, header=header), RSS)
    assert found.spacing == (1.5, 1.5)


def test_a_reconstruction_of_something_else_is_pointed_out(tmp_path: Path, kspace: np.ndarray) -> None:
    path = igs_raw.write_fastmri(tmp_path / "f.h5", kspace, rows=24)
    with h5py.File(path, "r+") as file:
        file["reconstruction_rss"][:] = np.roll(file["reconstruction_rss"], 5, axis=1)
    assert any("differs" in note for note in read_dataset(path, RSS).notes)


def test_a_folder_of_fastmri_files_is_divided_by_patient(tmp_path: Path, kspace: np.ndarray) -> None:
    for number in range(8):
        igs_raw.write_fastmri(tmp_path / f"file{number}.h5", kspace, patient=f"p{number // 2}")
    parts = [read_dataset(tmp_path, DataOptions(part=part)) for part in ("train", "select", "test")]
    assert [len(part) for part in parts] == [8, 4, 4]
    cases = [set(part.cases) for part in parts]
    assert cases[0] | cases[1] | cases[2] == {"p0", "p1", "p2", "p3"}
    assert sum(map(len, cases)) == 4  # no patient in two parts


def test_only_the_slices_asked_for_are_read(tmp_path: Path) -> None:
    path = igs_raw.write_fastmri(tmp_path / "f.h5", igs_raw.multi_coil(igs_raw.object_images(9), 2))
    found = read_dataset(path, DataOptions(slices=3))
    close(found.images[:, 0], igs_raw.object_images(9)[[1, 4, 7]])


def test_a_stack_of_slices_as_a_volume(tmp_path: Path, images: np.ndarray, kspace: np.ndarray) -> None:
    path = igs_raw.write_fastmri(tmp_path / "f.h5", kspace)
    for options in (VOLUME, DataOptions(slice_axis="volume", coils="sense")):
        found = read_dataset(path, options)
        assert found.images.shape == (1, 1, 2, 24, 20)
        assert found.coil_images.shape == (1, 1, 4, 2, 24, 20)
    close(read_dataset(path, VOLUME).images[0, 0], images)


def test_hdf5_files_of_another_kind_are_refused(tmp_path: Path, kspace: np.ndarray) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(InputError, match="other.h5 is neither of fastMRI.*weights"):
        read_dataset(tmp_path / "other.h5", RSS)
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="text.h5 is not a complete HDF5 file"):
        read_dataset(tmp_path / "text.h5", RSS)
    whole = igs_raw.write_fastmri(tmp_path / "cut.h5", kspace).read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut.h5 is not a complete HDF5 file"):
        read_dataset(tmp_path / "cut.h5", RSS)
    with h5py.File(tmp_path / "real.h5", "w") as file:
        file["kspace"] = np.zeros((2, 4, 4))
    with pytest.raises(InputError, match=r"real.h5 holds an array of shape \(2, 4, 4\) and type float64"):
        read_dataset(tmp_path / "real.h5", RSS)


def test_hdf5_links_and_claims_are_not_followed(tmp_path: Path, kspace: np.ndarray) -> None:
    igs_raw.write_fastmri(tmp_path / "target.h5", kspace)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["kspace"] = h5py.ExternalLink(str(tmp_path / "target.h5"), "kspace")
    with pytest.raises(InputError, match="link.h5 is neither"):
        read_dataset(tmp_path / "link.h5", RSS)
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("kspace", (10**6, 64, 1024, 1024), np.complex64, chunks=(1, 1, 64, 64))
    with pytest.raises(InputError, match="huge.h5 claims"):
        read_dataset(tmp_path / "huge.h5", RSS)
    layout = h5py.VirtualLayout((2, 4, 24, 20), np.complex64)
    layout[:] = h5py.VirtualSource(str(tmp_path / "target.h5"), "kspace", (2, 4, 24, 20))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("kspace", layout)
    with pytest.raises(InputError, match="virtual.h5 keeps its kspace in other files"):
        read_dataset(tmp_path / "virtual.h5", RSS)


def ismrmrd_file(path: Path, kspace: np.ndarray, extra: tuple[object, ...] = (), **header: object) -> Path:
    matrix = (kspace.shape[2], kspace.shape[3], 1)
    return igs_raw.write_ismrmrd(path, igs_raw.xml_header(matrix, **header), [*extra, *igs_raw.lines_of(kspace)])


def test_an_ismrmrd_scan(tmp_path: Path, images: np.ndarray, kspace: np.ndarray) -> None:
    noise = igs_raw.acquisition(np.ones((4, 24)) * 1e3, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    found = read_dataset(ismrmrd_file(tmp_path / "scan.h5", kspace, (noise,)), RSS)
    close(found.images[:, 0], images)
    assert found.spacing == (2.0, 2.0)
    assert set(found.cases) == {"scan"}
    assert "1 acquisitions of noise were left out." in found.notes


def test_the_oversampling_of_the_readout_is_cut_away(tmp_path: Path) -> None:
    wide = np.zeros((2, 48, 20))
    wide[:, 12:36] = igs_raw.object_images()
    path = ismrmrd_file(tmp_path / "scan.h5", igs_raw.multi_coil(wide, 4), oversampling=2)
    for options in (RSS, SENSE):
        found = read_dataset(path, options)
        assert found.images.shape == (2, 1, 24, 20)
        assert found.coil_images.shape[-2:] == (24, 20)
    close(read_dataset(path, RSS).images[:, 0], igs_raw.object_images())


def test_partial_fourier_and_asymmetric_echoes_lie_where_the_header_says(tmp_path: Path, kspace: np.ndarray) -> None:
    # lines 6 to 19 of 20 and samples 4 to 23 of 24 were measured; the steps are counted from the first of them
    lines = [
        igs_raw.acquisition(kspace[row, :, 4:, line], slice=row, kspace_encode_step_1=line - 6, centre=12 - 4)
        for row in range(2)
        for line in range(6, 20)
    ]
    path = igs_raw.write_ismrmrd(tmp_path / "pf.h5", igs_raw.xml_header((24, 20, 1), centre=4), lines)
    found = read_dataset(path, RSS)
    measured = to_kspace(found.coil_images[:, 0], (-2, -1))
    wanted = kspace.copy()
    wanted[..., :6] = 0
    wanted[..., :4, :] = 0
    np.testing.assert_allclose(measured, wanted, atol=1e-4)
    assert any("58.3 %" in note for note in found.notes)


def test_contrasts_averages_and_phases(tmp_path: Path, images: np.ndarray, kspace: np.ndarray) -> None:
    acquisitions = [
        one
        for contrast, weight in ((0, 1.0), (1, 0.5))
        for average, error in ((0, 0.1), (1, -0.1))
        for phase in (0, 1)
        for one in igs_raw.lines_of(
            kspace[:1] * (weight + error + phase), contrast=contrast, average=average, phase=phase
        )
    ]
    path = igs_raw.write_ismrmrd(tmp_path / "scan.h5", igs_raw.xml_header((24, 20, 1)), acquisitions)
    found = read_dataset(path, RSS)
    for row, column, factor in ((0, 0, 1.0), (0, 1, 0.5), (1, 0, 2.0), (1, 1, 1.5)):
        close(found.images[row, column], factor * images[0])
    assert "Averages were averaged." in found.notes


def test_a_3d_scan_is_cut_as_asked(tmp_path: Path) -> None:
    volume = igs_raw.object_images(10)
    kspace = to_kspace(volume[None] * np.exp(0.3j), (-3, -2, -1)).astype(np.complex64)
    lines = [
        igs_raw.acquisition(kspace[:, z, :, y], kspace_encode_step_1=y, kspace_encode_step_2=z)
        for z in range(10)
        for y in range(20)
    ]
    path = igs_raw.write_ismrmrd(tmp_path / "scan.h5", igs_raw.xml_header((24, 20, 10)), lines)
    close(read_dataset(path, RSS).images[:, 0], volume)
    close(read_dataset(path, VOLUME).images[0, 0], volume)
    found = read_dataset(path, DataOptions(slice_axis="j"))
    assert found.spacing == (2.0, 2.0)
    close(found.images[:, 0], volume.transpose(1, 0, 2))  # partitions and lines: the plane of ky and kz


def test_scans_that_are_not_cartesian_or_reversed_are_refused(tmp_path: Path, kspace: np.ndarray) -> None:
    with pytest.raises(InputError, match="radial.h5 was acquired with a radial trajectory"):
        read_dataset(ismrmrd_file(tmp_path / "radial.h5", kspace, trajectory="radial"), RSS)
    reverse = igs_raw.acquisition(kspace[0, :, :, 0], flags=[ismrmrd.ACQ_IS_REVERSE])
    with pytest.raises(InputError, match="read in reverse"):
        read_dataset(ismrmrd_file(tmp_path / "epi.h5", kspace, (reverse,)), RSS)


def test_lines_that_do_not_fit_are_refused(tmp_path: Path, kspace: np.ndarray) -> None:
    outside = igs_raw.acquisition(kspace[0, :, :, 0], kspace_encode_step_1=25)
    with pytest.raises(InputError, match="encode steps 1 from 0 to 25"):
        read_dataset(ismrmrd_file(tmp_path / "a.h5", kspace, (outside,)), RSS)
    longer = igs_raw.acquisition(np.ones((4, 40)))
    with pytest.raises(InputError, match="40 samples"):
        read_dataset(ismrmrd_file(tmp_path / "b.h5", kspace, (longer,)), RSS)
    fewer = igs_raw.acquisition(np.ones((2, 24)))
    with pytest.raises(InputError, match="2 and of 4 coils"):
        read_dataset(ismrmrd_file(tmp_path / "c.h5", kspace, (fewer,)), RSS)
    noise = igs_raw.acquisition(np.ones((4, 24)), flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    only = igs_raw.write_ismrmrd(tmp_path / "d.h5", igs_raw.xml_header((24, 20, 1)), [noise])
    with pytest.raises(InputError, match="no lines of an image, only noise"):
        read_dataset(only, RSS)


def test_damaged_and_boastful_headers_are_refused(tmp_path: Path, kspace: np.ndarray) -> None:
    lines = igs_raw.lines_of(kspace)
    with pytest.raises(InputError, match="its header cannot be understood"):
        read_dataset(igs_raw.write_ismrmrd(tmp_path / "a.h5", b"<ismrmrdHeader", lines), RSS)
    with pytest.raises(InputError, match="its header cannot be understood"):
        read_dataset(igs_raw.write_ismrmrd(tmp_path / "b.h5", b"<other/>", lines), RSS)
    boast = igs_raw.xml_header((60000, 60000, 1))
    with pytest.raises(InputError, match="c.h5 claims"):
        read_dataset(igs_raw.write_ismrmrd(tmp_path / "c.h5", boast, lines), RSS)
    with pytest.raises(InputError, match="numbers above 0"):
        read_dataset(igs_raw.write_ismrmrd(tmp_path / "d.h5", igs_raw.xml_header((24, 0, 1)), lines), RSS)


def test_without_the_package_the_sentence_names_it(tmp_path: Path, kspace: np.ndarray, monkeypatch) -> None:
    path = ismrmrd_file(tmp_path / "scan.h5", kspace)
    monkeypatch.setitem(__import__("sys").modules, "ismrmrd.xsd", None)
    with pytest.raises(DependencyError, match="pip install ismrmrd"):
        read_dataset(path, RSS)
