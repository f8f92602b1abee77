"""How long audits and analyses of 5,000 headers take: rows of a table, sidecars, and DICOM files.

python Testing/benchmarks/bench_iap_audit.py
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from DeepMRILib.iap.analysing import analyse
from DeepMRILib.iap.audit import audit

DATA = Path(os.environ.get("DEEPMRI_TEST_DATA", ROOT.parent / "shared" / "data"))
COUNT = 5000
PER_SERIES = 10
LIMIT = 10.0


def write_table(path: Path) -> None:
    """The parameters of real sidecars, repeated with names of their own; made-up ones where these are not there."""
    real = DATA / "bids_sidecar_params" / "params.csv"
    if real.is_file():
        with real.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    else:
        rows = [
            {"sidecar": f"{n}.json", "EchoTime": 0.01 + n / 1e4, "RepetitionTime": 2.0, "Manufacturer": "Siemens"}
            for n in range(100)
        ]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        for number in range(COUNT):
            row = rows[number % len(rows)]
            writer.writerow({**row, "sidecar": f"copy{number // len(rows)}/{row['sidecar']}"})


def write_sidecars(table: Path, folder: Path) -> None:
    """The same as one JSON file for each series."""
    with table.open(newline="", encoding="utf-8") as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            name = row.pop("sidecar")
            entries = {key: _value(text) for key, text in row.items() if text}
            place = folder / f"sub-{number % 200:03d}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:05d}.json").write_text(json.dumps({**entries, "SeriesDescription": name}))


def _value(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def write_dicom(folder: Path) -> None:
    """Series of ten small slices by three vendors."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    rng = np.random.default_rng(0)
    for series in range(COUNT // PER_SERIES):
        place = folder / f"patient{series % 60:02d}" / f"series{series:03d}"
        place.mkdir(parents=True)
        uid = generate_uid()
        vendor, model, field = (("SIEMENS", "Avanto", "1.494"), ("GE MEDICAL SYSTEMS", "Signa HDxt", "3"),
                                ("Philips Medical Systems", "Achieva", "3"))[series % 3]  # fmt: skip
        times = rng.uniform(3, 8), rng.uniform(1, 3)
        for number in range(PER_SERIES):
            one = Dataset()
            one.file_meta = FileMetaDataset()
            one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = MRImageStorage
            one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
            one.Modality, one.SeriesInstanceUID, one.InstanceNumber = "MR", uid, number + 1
            one.PatientID, one.SeriesDescription = f"P{series % 60:02d}", "t1 fl3d"
            one.Manufacturer, one.ManufacturerModelName, one.MagneticFieldStrength = vendor, model, field
            one.ScanningSequence, one.SequenceVariant, one.ScanOptions = "GR", ["SP", "OSP"], ["PFP", "FS"]
            one.MRAcquisitionType, one.PatientPosition, one.FlipAngle = "3D", "HFP", "10"
            one.RepetitionTime, one.EchoTime = (f"{value:.4f}" for value in times)
            one.SliceThickness, one.PixelSpacing, one.AcquisitionMatrix = "2", ["0.7", "0.7"], [0, 448, 381, 0]
            one.ImagePositionPatient, one.ImageOrientationPatient = [0, 0, 2 * number], [1, 0, 0, 0, 1, 0]
            one.Rows, one.Columns, one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 16, 16, 15
            one.SamplesPerPixel, one.PhotometricInterpretation, one.PixelRepresentation = 1, "MONOCHROME2", 0
            one.PixelData = np.full((16, 16), series + number, np.uint16).tobytes()
            one.save_as(place / f"{number:03d}.dcm", enforce_file_format=True)


def timed(job: Callable, source: Path) -> tuple[float, float, int]:
    """Seconds by the clock and of the processor, and how many series were found."""
    start, used = time.perf_counter(), time.process_time()
    result = job(source)
    return time.perf_counter() - start, time.process_time() - used, result.provenance.inputs["series"]


def main() -> None:
    """Print the table."""
    print(f"| {COUNT} headers | series | audit s (processor) | analyse s (processor) | under {LIMIT:g} s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "headers.csv")
        write_sidecars(folder / "headers.csv", folder / "sidecars")
        write_dicom(folder / "dicom")
        for what, source in (("rows of a table", "headers.csv"), ("sidecars", "sidecars"), ("DICOM files", "dicom")):
            clock, used, series = timed(audit, folder / source)
            other, other_used, _ = timed(analyse, folder / source)
            met = "yes" if max(clock, other) < LIMIT else "no"
            print(
                f"| {what} | {series} | {clock:.2f} ({used:.2f}) | {other:.2f} ({other_used:.2f}) | {met} |", flush=True
            )


if __name__ == "__main__":
    main()
