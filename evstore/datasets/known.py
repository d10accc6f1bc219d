"""The datasets that evstore knows by name: what their recordings are, and where to get them.

``dtype`` and ``ordering`` are those that tonic's class of the name gives, where there is one, so
that a training script finds the fields it expects. Nothing here is ever downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass

GESTURES = (
    "Hand clapping",
    "Right hand wave",
    "Left hand wave",
    "Right arm cw",
    "Right arm ccw",
    "Left arm cw",
    "Left arm ccw",
    "Arm roll",
    "Air drums",
    "Air guitar",
    "Other gestures",
)

DIGITS = (
    *("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four"),
    *("5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"),
)

CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

#: By number, as in the tables of boxes (prophesee-ai/prophesee-automotive-dataset-toolbox).
GEN1 = ("car", "pedestrian")

#: By number, as in ``label_map_dictionary.json`` of the 1 Mpx dataset.
MEGAPIXEL = (
    *("pedestrian", "two wheeler", "car", "truck", "bus"),
    *("traffic sign", "traffic light"),
)

#: By number, as in ``tracks.npy`` (uzh-rpg/dsec-det, its read-me).
DSEC_DETECTION = (
    *("pedestrian", "rider", "car", "bus", "truck"),
    *("bicycle", "motorcycle", "train"),
)


@dataclass(frozen=True)
class Known:
    """A dataset: ``sensor_size`` (width, height, polarities), None where recordings differ.

    ``layouts`` read it, the first one preferred; ``classes`` by label, None where its folders
    name them; ``fields`` in tonic's order with numpy's names of their types. ``targets`` says
    what tonic gives for a label: its number (``index``) or its name (``name``); ``boxes`` and
    ``none`` where there are no classes of recordings. ``url`` is where to get it and ``unpack``
    what to unpack where, below the folder that is given as ``save_to``.
    """

    layouts: tuple[str, ...]
    sensor_size: tuple[int, int, int] | None
    fields: tuple[tuple[str, str], ...]
    classes: tuple[str, ...] | None
    splits: tuple[str, ...]
    targets: str
    url: str
    unpack: str

    @property
    def ordering(self) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return tuple(name for name, _ in self.fields)


_XYTP = (("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8"))

KNOWN = {
    "NMNIST": Known(
        ("nmnist",),
        (34, 34, 2),
        _XYTP,
        DIGITS,
        ("train", "test"),
        "index",
        "https://www.garrickorchard.com/datasets/n-mnist",
        "Train.zip and Test.zip, which give the folders Train and Test, into NMNIST",
    ),
    "DVSGesture": Known(
        ("dvsgesture-tonic", "dvsgesture-ibm"),
        (128, 128, 2),
        (("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")),
        GESTURES,
        ("train", "test"),
        "index",
        "https://research.ibm.com/interactive/dvsgesture/ (DvsGesture.tar.gz); as single gestures "
        "https://figshare.com/ndownloader/files/38022171 (train) and "
        "https://figshare.com/ndownloader/files/38020584 (test)",
        "ibmGestureTrain.tar.gz and ibmGestureTest.tar.gz, or DvsGesture.tar.gz with "
        "gesture_mapping.csv beside its folder, into DVSGesture",
    ),
    "NCARS": Known(
        ("ncars",),
        (304, 240, 2),
        (("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")),
        ("background", "cars"),
        ("train", "test"),
        "index",
        "https://www.prophesee.ai/2018/03/13/dataset-n-cars/",
        "Prophesee_Dataset_n_cars.zip, then n-cars_train.zip and n-cars_test.zip of it each into "
        "a folder of its name, into NCARS",
    ),
    "NCALTECH101": Known(
        ("ncaltech101",),
        None,
        _XYTP,
        None,
        (),
        "name",
        "https://www.garrickorchard.com/datasets/n-caltech101",
        "Caltech101.zip and, for boxes, Caltech101_annotations.zip into NCALTECH101",
    ),
    "CIFAR10DVS": Known(
        ("cifar10dvs",),
        (128, 128, 2),
        (("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")),
        CIFAR10,
        (),
        "index",
        "https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671 (.aedat); in AEDAT4 "
        "https://figshare.com/ndownloader/files/38023437",
        "airplane.zip ... truck.zip, which give a folder for each class, into CIFAR10DVS",
    ),
    "DSEC": Known(
        ("dsec",),
        (640, 480, 2),
        (("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")),
        None,
        ("train", "test"),
        "none",
        "https://dsec.ifi.uzh.ch/dsec-datasets/download/ and, for boxes, "
        "https://dsec.ifi.uzh.ch/dsec-detection/",
        "train_events.zip and test_events.zip, each into a folder of its name or into train and "
        "test, with the object detections beside them, into DSEC",
    ),
    "PropheseeDetection": Known(
        ("prophesee-detection",),
        None,
        (("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "<i2")),
        None,
        ("train", "val", "test"),
        "boxes",
        "https://www.prophesee.ai/2020/01/24/prophesee-gen1-automotive-detection-dataset/ (Gen1) "
        "and https://www.prophesee.ai/2020/11/24/automotive-megapixel-event-based-dataset/ (1 Mpx)",
        "the archives so that train, val and test hold *_td.dat with *_bbox.npy beside them, "
        "into PropheseeDetection",
    ),
}
