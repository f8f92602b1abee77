"""Where a segmentation network computes."""

from __future__ import annotations

from DeepMRILib import device as devices


def network_device(choice: devices.Device) -> str:
    """The device that a choice stands for; ``"auto"`` leaves Apple's graphics processor out.

    PyTorch lacks some of the three-dimensional layers there, depending on its version; who asks for it gets it.

    Raises:
        InputError: that device is not there.

    Example:
        >>> network_device("cpu")
        'cpu'
    """
    device = devices.resolve(choice)
    return "cpu" if choice == "auto" and device == "mps" else device
