"""Read a user's volumes and labels (MRC, TIFF, npy, Zarr, AmiraMesh; labels also NRRD from 3D Slicer); write labels.

All but npy and Zarr need the extra `formats`. What is here is made in `sxtbench.formats`, a module a format.

Arrays are `(z, y, x)` with z the rotation axis and y the beam's direction at 0 degrees. A file whose axes mean
something else is read with `axes`, which names its slices, rows and columns: `"yzx"` for a tomogram turned for viewing,
as IMOD users keep it (slices along the depth, rows along the tilt axis). Axes are only reordered, never turned round.
Files that sxtbench wrote say so themselves.
"""

from sxtbench.formats.labels import LabelMap, read_label_map, read_labels, write_labels
from sxtbench.formats.volumes import read_image, read_volume, write_volume

__all__ = ["LabelMap", "read_image", "read_label_map", "read_labels", "read_volume", "write_labels", "write_volume"]
