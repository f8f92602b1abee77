"""Every job of the extension, in one table.

The command line, the worker, the panels and the docs are made from this table: a job that stands here has all four
doors, and there is nothing to add anywhere else.
"""

from __future__ import annotations

from dataclasses import replace

from DeepMRILib.errors import InputError
from DeepMRILib.job import SEVERAL, Input, Job, Kind, load

__all__ = ["COMMANDS", "JOBS", "SEVERAL", "Input", "Job", "Kind", "find_job", "load"]

COMMANDS: dict[str, dict[str, str]] = {"pvs": {"models": "DeepMRILib.pvs.models:show_models"}}
"""Of each method, commands that only tell something: functions without a result, which return text."""


def find_job(key: str) -> Job:
    """The job called ``method.name``.

    Raises:
        InputError: there is none.
    """
    for job in JOBS:
        if job.key == key:
            return job
    raise InputError(f"There is no job {key!r}; there are {', '.join(job.key for job in JOBS)}.")


DIFFUSION = Input("volume", "diffusion", "Diffusion-weighted series: one image per b-value and direction")
MASK = Input("mask", "mask", "Only voxels inside this mask are fitted", required=False)
LABELS = Input("labels", "labels", "Regions for the table and the decay curves", required=False)
IMAGE = Input("volume", "volume", "The image")
POINTS = Input("points_ras", "prompts", "Six or more points just inside the margin; of several segments by their names")
DATASET = Input("dataset", "folder", "Dataset in the layout of the Medical Segmentation Decathlon or of InteractiveNet")
BRAIN = Input("brain_mask", "mask", "Brain mask on the grid of the image; by default one is made", required=False)
TRAINED = Input("model", "model", "Network of interactive train: its folder, or its name on this computer")
SLICES = Input("data", "data", "Images: a file, a folder with labels, or raw k-space (fastMRI, ISMRMRD, NumPy)")
SLICE_LABELS = Input("labels", "labels", "Segmentation of the image, where data are one image", required=False)
PHASE = Input("phase", "volume", "Phase of the image, where data are one image of magnitudes", required=False)
PATTERN = Input("pattern", "data", "Output folder of igs find, or its pattern.json")
TASK_NETWORK = Input(
    "network", "network", "Network that does the task: a model of igs train, or a TorchScript file", required=False
)

JOBS: tuple[Job, ...] = (
    Job(
        method="ivim",
        name="fit",
        summary="Fit diffusion and perfusion maps to a multi-b-value series",
        function="DeepMRILib.ivim:fit",
        options="DeepMRILib.ivim:FitOptions",
        result="DeepMRILib.ivim:IVIMResult",
        inputs=(
            DIFFUSION,
            MASK,
            LABELS,
            Input("network", "model", "Trained network that ivimnet applies instead of training one", required=False),
        ),
        example="DeepMRILib.ivim.example:fit_inputs",
        report="DeepMRILib.ivim.report:fit_report",
    ),
    Job(
        method="ivim",
        name="train",
        summary="Train one network on all series of a study",
        function="DeepMRILib.ivim:train",
        options="DeepMRILib.ivim:TrainOptions",
        result="DeepMRILib.ivim:TrainedModel",
        inputs=(
            Input("volumes", "study", "Diffusion-weighted series with the same b-values"),
            Input("masks", "masks", "A mask for each series, in their order", required=False),
        ),
        example="DeepMRILib.ivim.example:train_inputs",
        report="DeepMRILib.ivim.report_training:train_report",
        quick=(("preset", "optim"), ("members", 1), ("epochs", 2), ("device", "cpu")),
        needs_torch=True,
    ),
    Job(
        method="ivim",
        name="apply",
        summary="Fit a series with a network that was trained before",
        function="DeepMRILib.ivim:apply",
        options="DeepMRILib.ivim:ApplyOptions",
        result="DeepMRILib.ivim:IVIMResult",
        inputs=(
            Input("model", "model", "Network of ivim train: its folder, or its name on this computer"),
            DIFFUSION,
            MASK,
            LABELS,
        ),
        example="DeepMRILib.ivim.example:apply_inputs",
        report="DeepMRILib.ivim.report:fit_report",
        quick=(("device", "cpu"),),
        needs_torch=True,
    ),
    Job(
        method="ivim",
        name="phantom",
        summary="Make an abdomen-like phantom with known diffusion and perfusion",
        function="DeepMRILib.ivim:phantom",
        options="DeepMRILib.ivim:PhantomOptions",
        result="DeepMRILib.ivim:PhantomResult",
        inputs=(),
        example="DeepMRILib.ivim.example:no_inputs",
        report="DeepMRILib.ivim.report:phantom_report",
        quick=(("size", (36, 28, 3)), ("spacing", (10.4, 10.4, 30.0)), ("b_values", (0, 50, 400, 800))),
    ),
    Job(
        method="ivim",
        name="simulate",
        summary="Simulate signals with known random parameters, to train networks and to score fits",
        function="DeepMRILib.ivim:simulation",
        options="DeepMRILib.ivim:SimulateOptions",
        result="DeepMRILib.ivim:Simulation",
        inputs=(),
        example="DeepMRILib.ivim.example:no_inputs",
        report="DeepMRILib.ivim.simulation_report:simulation_report",
        quick=(("n", 120),),
    ),
    Job(
        method="ivim",
        name="squares",
        summary="Make the nested squares that IVIM fits are compared on",
        function="DeepMRILib.ivim:squares",
        options="DeepMRILib.ivim:SquaresOptions",
        result="DeepMRILib.ivim:PhantomResult",
        inputs=(),
        example="DeepMRILib.ivim.example:no_inputs",
        report="DeepMRILib.ivim.simulation_report:squares_report",
        quick=(("size", 20),),
    ),
    Job(
        method="ivim",
        name="evaluate",
        summary="Compare methods on simulated signals: errors by SNR, beside a constant guess",
        function="DeepMRILib.ivim:evaluate",
        options="DeepMRILib.ivim:EvaluateOptions",
        result="DeepMRILib.ivim:Evaluation",
        inputs=(),
        example="DeepMRILib.ivim.example:no_inputs",
        report="DeepMRILib.ivim.evaluation_report:evaluation_report",
        quick=(("methods", ("lsq",)), ("snr", (20.0, 50.0)), ("n", 200), ("squares_size", 20)),
    ),
    Job(
        method="igs",
        name="find",
        summary="Find the k-space lines that serve a task, or the image, best",
        function="DeepMRILib.igs:find",
        options="DeepMRILib.igs:FindOptions",
        result="DeepMRILib.igs:PatternResult",
        inputs=(SLICES, SLICE_LABELS, PHASE, TASK_NETWORK),
        example="DeepMRILib.igs.example:find_inputs",
        report="DeepMRILib.igs.report:find_report",
        quick=(("lines", 8), ("device", "cpu")),
    ),
    Job(
        method="igs",
        name="train",
        summary="Train a network for a task on full and undersampled images",
        function="DeepMRILib.igs:train",
        options="DeepMRILib.igs:TrainOptions",
        result="DeepMRILib.igs:TrainedNetwork",
        inputs=(SLICES, SLICE_LABELS, PHASE),
        example="DeepMRILib.igs.example_training:train_inputs",
        report="DeepMRILib.igs.report_training:train_report",
        quick=(("name", "example"), ("epochs", 1), ("channels", (4, 8)), ("device", "cpu")),
        needs_torch=True,
        stores=True,
    ),
    Job(
        method="igs",
        name="finetune",
        summary="Adapt a network to one pattern",
        function="DeepMRILib.igs:finetune_job",
        options="DeepMRILib.igs:FinetuneOptions",
        result="DeepMRILib.igs:TrainedNetwork",
        inputs=(replace(TASK_NETWORK, required=True), SLICES, PATTERN, SLICE_LABELS, PHASE),
        example="DeepMRILib.igs.example_training:finetune_inputs",
        report="DeepMRILib.igs.report_training:train_report",
        quick=(("name", "example_tuned"), ("epochs", 1), ("device", "cpu")),
        needs_torch=True,
        stores=True,
    ),
    Job(
        method="igs",
        name="test",
        summary="Compare a pattern with the usual ones of as many lines, on cases it was not chosen on",
        function="DeepMRILib.igs:test",
        options="DeepMRILib.igs:TestOptions",
        result="DeepMRILib.igs:Evaluation",
        inputs=(PATTERN, SLICES, SLICE_LABELS, PHASE, TASK_NETWORK),
        example="DeepMRILib.igs.example:test_inputs",
        report="DeepMRILib.igs.report:test_report",
        quick=(("draws", 2), ("device", "cpu")),
    ),
    Job(
        method="igs",
        name="apply",
        summary="Undersample images as a pattern would, and segment them with a network",
        function="DeepMRILib.igs:apply",
        options="DeepMRILib.igs:ApplyOptions",
        result="DeepMRILib.igs:AppliedPattern",
        inputs=(SLICES, PATTERN, PHASE, TASK_NETWORK),
        example="DeepMRILib.igs.example:apply_inputs",
        report="DeepMRILib.igs.report:apply_report",
        quick=(("device", "cpu"),),
    ),
    Job(
        method="igs",
        name="export",
        summary="Write a pattern for other programs: NumPy, fastMRI, BART and Pulseq",
        function="DeepMRILib.igs:export",
        options="DeepMRILib.igs:ExportOptions",
        result="DeepMRILib.igs:ExportResult",
        inputs=(PATTERN,),
        example="DeepMRILib.igs.example:export_inputs",
        report="DeepMRILib.igs.report:export_report",
    ),
    Job(
        method="igs",
        name="sample",
        summary="Make images with labels to try patterns on: hearts, lesions or hidden stripes",
        function="DeepMRILib.igs:sample",
        options="DeepMRILib.igs:SampleOptions",
        result="DeepMRILib.igs:SampleResult",
        inputs=(),
        example="DeepMRILib.igs.example:no_inputs",
        report="DeepMRILib.igs.report:sample_report",
        quick=(("cases", 4), ("size", 48)),
    ),
    Job(
        method="interactive",
        name="segment",
        summary="Segment a lesion from six points just inside its margin",
        function="DeepMRILib.interactive:segment",
        options="DeepMRILib.interactive:SegmentOptions",
        result="DeepMRILib.interactive:InteractiveResult",
        inputs=(
            IMAGE,
            POINTS,
            Input("negative_points", "outside", "Points outside: where no segment is", required=False),
            Input("prior", "labels", "An earlier segmentation on the grid of the image", required=False),
            Input("model", "model", "Trained network, which the engine network needs", required=False),
            Input("channels", "images", "Further images of the same lesion", required=False),
        ),
        example="DeepMRILib.interactive.example:segment_inputs",
        report="DeepMRILib.interactive.report:segment_report",
    ),
    Job(
        method="interactive",
        name="points",
        summary="Make six points from a known segmentation, as a user would place them",
        function="DeepMRILib.interactive:points",
        options="DeepMRILib.interactive:PointsOptions",
        result="DeepMRILib.interactive:PointsResult",
        inputs=(Input("mask", "labels", "The segmentation"),),
        example="DeepMRILib.interactive.example:points_inputs",
    ),
    Job(
        method="interactive",
        name="phantom",
        summary="Make an image of a lesion with known truth and points",
        function="DeepMRILib.interactive:phantom",
        options="DeepMRILib.interactive:PhantomOptions",
        result="DeepMRILib.interactive:PhantomResult",
        inputs=(),
        example="DeepMRILib.interactive.example:no_inputs",
        report="DeepMRILib.interactive.report:phantom_report",
        quick=(("size", (40, 40, 20)), ("spacing", (1.5, 1.5, 3.0)), ("volume", 12.0)),
    ),
    Job(
        method="interactive",
        name="plan",
        summary="Look at a dataset and plan a network and a cross-validation for it",
        function="DeepMRILib.interactive:plan",
        options="DeepMRILib.interactive:PlanOptions",
        result="DeepMRILib.interactive:PlanResult",
        inputs=(DATASET,),
        example="DeepMRILib.interactive.example_pipeline:plan_inputs",
    ),
    Job(
        method="interactive",
        name="train",
        summary="Train a segmentation network for each fold of a dataset",
        function="DeepMRILib.interactive:train",
        options="DeepMRILib.interactive:TrainOptions",
        result="DeepMRILib.interactive:TrainedModel",
        inputs=(
            DATASET,
            Input("plan", "folder", "Output of interactive plan; by default it is planned now", required=False),
        ),
        example="DeepMRILib.interactive.example_training:train_inputs",
        report="DeepMRILib.interactive.report_training:train_report",
        quick=(("epochs", 1), ("folds", 2), ("accumulate", 2), ("device", "cpu")),
        needs_torch=True,
    ),
    Job(
        method="interactive",
        name="test",
        summary="Segment a dataset's test cases with a trained network and compare them with the truth",
        function="DeepMRILib.interactive:test",
        options="DeepMRILib.interactive:TestOptions",
        result="DeepMRILib.interactive:TestResult",
        inputs=(TRAINED, DATASET),
        example="DeepMRILib.interactive.example_training:model_inputs",
        report="DeepMRILib.interactive.report_testing:test_report",
        quick=(("device", "cpu"),),
        needs_torch=True,
    ),
    Job(
        method="interactive",
        name="predict",
        summary="Segment all cases of a folder from their points with a trained network",
        function="DeepMRILib.interactive:predict",
        options="DeepMRILib.interactive:PredictOptions",
        result="DeepMRILib.interactive:PredictResult",
        inputs=(TRAINED, DATASET),
        example="DeepMRILib.interactive.example_training:model_inputs",
        report="DeepMRILib.interactive.report_testing:predict_report",
        quick=(("device", "cpu"), ("cases", "test")),
        needs_torch=True,
    ),
    Job(
        method="interactive",
        name="import",
        summary="Make a model of networks that InteractiveNet trained",
        function="DeepMRILib.interactive:import_upstream",
        options="DeepMRILib.interactive:ImportOptions",
        result="DeepMRILib.interactive:TrainedModel",
        inputs=(Input("folder", "folder", "Folder with plans.json and a file of weights for each fold"),),
        example="DeepMRILib.interactive.example_training:import_inputs",
        needs_torch=True,
    ),
    Job(
        method="interactive",
        name="export",
        summary="Add a segmented case with its points to a dataset for training",
        function="DeepMRILib.interactive:export",
        options="DeepMRILib.interactive:ExportOptions",
        result="DeepMRILib.interactive:ExportResult",
        inputs=(
            IMAGE,
            POINTS,
            Input("mask", "labels", "The segmentation", required=False),
            Input("negative_points", "outside", "Points outside: where no segment is", required=False),
            Input("channels", "images", "Further images of the same lesion", required=False),
        ),
        example="DeepMRILib.interactive.example_pipeline:export_inputs",
    ),
    Job(
        method="pvs",
        name="segment",
        summary="Find the perivascular spaces of a brain in a T1, a T1 and a FLAIR, or a T2",
        function="DeepMRILib.pvs:segment_job",
        options="DeepMRILib.pvs:SegmentOptions",
        result="DeepMRILib.pvs:PVSResult",
        inputs=(
            Input("t1", "volume", "T1-weighted image of the head", required=False),
            Input("flair", "volume", "FLAIR of the same head, beside a T1", required=False),
            Input("t2", "volume", "T2-weighted image, where there is no T1", required=False),
            BRAIN,
            Input("parcellation", "labels", "FreeSurfer's or SynthSeg's labels of the same head", required=False),
            Input(
                "model",
                "network",
                "Network for the engine network: a model, or a downloaded SHIVA file or folder",
                required=False,
            ),
        ),
        example="DeepMRILib.pvs.example:segment_inputs",
        report="DeepMRILib.pvs.report:segment_report",
    ),
    Job(
        method="pvs",
        name="import-model",
        summary="Make a model of downloaded SHIVA networks, or of others in Keras, TensorFlow or ONNX files",
        function="DeepMRILib.pvs:import_networks",
        options="DeepMRILib.pvs:ImportOptions",
        result="DeepMRILib.pvs:ImportedNetworks",
        inputs=(Input("networks", "network", "The downloaded file, or the folder that holds a file for each fold"),),
        example="DeepMRILib.pvs.example_import:import_inputs",
        needs_torch=True,
        stores=True,
    ),
    Job(
        method="pvs",
        name="phantom",
        summary="Put perivascular spaces with known truth into a generated head or a given image",
        function="DeepMRILib.pvs:phantom_job",
        options="DeepMRILib.pvs:PhantomOptions",
        result="DeepMRILib.pvs:PhantomResult",
        inputs=(
            Input("volume", "volume", "A T1 or T2 that they are put into; by default a generated head", required=False),
            BRAIN,
            Input(
                "parcellation", "labels", "FreeSurfer's or SynthSeg's labels on the grid of the image", required=False
            ),
        ),
        example="DeepMRILib.pvs.example:phantom_inputs",
        report="DeepMRILib.pvs.report:phantom_report",
        quick=(("tubes", 30), ("diameter", 1.6)),
    ),
    Job(
        method="pvs",
        name="train",
        summary="Train a network on generated perivascular spaces, without any manual label",
        function="DeepMRILib.pvs:train",
        options="DeepMRILib.pvs:TrainOptions",
        result="DeepMRILib.pvs:TrainedNetwork",
        inputs=(
            Input(
                "labels",
                "folder",
                "Label maps of heads, FreeSurfer's or SynthSeg's; by default heads are generated",
                required=False,
            ),
        ),
        example="DeepMRILib.pvs.example_training:train_inputs",
        report="DeepMRILib.pvs.report_training:train_report",
        quick=(
            ("name", "example"),
            ("steps", 2),
            ("batch", 1),
            ("patch", 16),
            ("channels", (2, 4)),
            ("heads", 0),
            ("held_out", 2),
            ("workers", 0),
            ("device", "cpu"),
        ),
        needs_torch=True,
    ),
    Job(
        method="pvs",
        name="evaluate",
        summary="Compare found perivascular spaces with a reference",
        function="DeepMRILib.pvs:evaluate",
        options="DeepMRILib.pvs:EvaluateOptions",
        result="DeepMRILib.pvs:Evaluation",
        inputs=(
            Input("found", "volume", "What was found: a probability from 0 to 1, or a mask"),
            Input("reference", "mask", "The true spaces, on the same grid"),
            Input("brain_mask", "mask", "Only voxels inside this mask count", required=False),
            Input("regions", "labels", "Regions that get rows of their own", required=False),
        ),
        example="DeepMRILib.pvs.example:evaluate_inputs",
        report="DeepMRILib.pvs.report:evaluate_report",
    ),
)
