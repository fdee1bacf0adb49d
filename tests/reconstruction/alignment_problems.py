"""A crowded cell in a capillary, jittered interior views of it and aligned anchors: what the alignment tests solve."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import fourier_shift, gaussian_filter

from sxtbench.acquisition.strip import project_strips

FIELD_UM = 10.24
WIDTH_UM = 3.84
DETECTED_PER_10_NM = 150.0  # photons per (10 nm)^2
REACH = 0.12  # of the width: what the specimen is taller by at each end


@dataclass(frozen=True)
class Problem:
    """Views, anchors at twice the pixel, and the shifts to apply."""

    images: np.ndarray
    angles_deg: np.ndarray
    anchors: np.ndarray
    anchor_angles_deg: np.ndarray
    truth: np.ndarray
    column_offset_px: np.ndarray

    def with_anchors(self, count):
        """The problem with fewer of its anchors."""
        kept = np.isin(self.anchor_angles_deg, self.angles_deg[chosen(count, len(self.angles_deg))])
        return replace(self, anchors=self.anchors[kept], anchor_angles_deg=self.anchor_angles_deg[kept])

    def error(self, shifts):
        """Mean distance from the true shifts, pixels."""
        return float(np.hypot(*(shifts - self.truth).T).mean())


def chosen(anchors, views=92):
    """Views of which there is an anchor."""
    return np.round(np.arange(anchors) * views / anchors).astype(int)


def crowded_cell(shape, voxel_um, rng):
    """LAC of a cell with a nucleus, mitochondria, droplets and texture, in ice, in a glass wall; shape (z, y, x)."""
    z, y, x = ((np.arange(n) - (n - 1) / 2) * voxel_um for n in shape)
    disc = np.hypot(y[:, None], x)
    lac = np.broadcast_to(np.where(disc < 4.3, 0.103, np.where(disc < 4.5, 1.09, 0.0)), shape).astype(np.float32)

    def ball(centre, radii, value):
        slices = tuple(
            slice(np.searchsorted(axis, c - r), np.searchsorted(axis, c + r))
            for axis, c, r in zip((z, y, x), centre, radii, strict=True)
        )
        near = [((axis[s] - c) / r) ** 2 for axis, s, c, r in zip((z, y, x), slices, centre, radii, strict=True)]
        inside = near[0][:, None, None] + near[1][:, None] + near[2] < 1
        lac[slices][inside] = value

    ball((rng.uniform(-1.5, 1.5), *rng.uniform(-0.2, 0.2, 2)), rng.uniform(3.5, 4.0, 3), rng.normal(0.22, 0.02))
    ball(rng.uniform(-1, 1, 3), rng.uniform(2.0, 2.5, 3), 0.27)
    cell = lac.copy()
    for _ in range(90):
        centre, direction = rng.uniform((-3, -3.3, -3.3), (3, 3.3, 3.3)), rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        for step in np.arange(-rng.uniform(0.2, 1.0), 0, 0.1):
            ball(centre + step * direction, (0.18, 0.18, 0.18), 0.36)
            direction = direction + rng.normal(0, 0.15, 3)
    for _ in range(15):
        ball(rng.uniform((-2, -3, -3), (2, 3, 3)), (rng.uniform(0.2, 0.5),) * 3, rng.normal(0.65, 0.08))
    lac = np.where((cell == 0.103) | (disc > 4.3), cell, lac)  # organelles stay in the cell
    texture = gaussian_filter(rng.standard_normal(shape, np.float32), max(0.05 / voxel_um, 0.5))
    return lac + np.where(lac > 0.15, 0.03 / texture.std(), 0) * texture * (disc < 4.3)


def jitter(views, width, rng):
    """Displacement (dz, du) of each view: random walk, uniform scatter, a few jumps, within the specimen's reach."""
    walk = np.cumsum(rng.normal(0, 0.004, (views, 2)), axis=0)
    jumps = (rng.random(views) < 0.02)[:, None] * 0.08 * np.sign(rng.uniform(-1, 1, (views, 2)))
    return np.clip(walk + rng.uniform(-0.03, 0.03, (views, 2)) + jumps, -REACH, REACH) * width


def alignment_problem(
    seed=0, *, pixel_nm=60.0, rows=32, anchors=19, angles_deg=None, photons=1.0, centre_um=(0.0, 0.0)
):
    """Make one: field 10.24 um, interior 3.84 um about `centre_um` (y, x), lenses of 35 and 60 nm, all in focus."""
    rng = np.random.default_rng(seed)
    angles = np.arange(92) * 180 / 92 if angles_deg is None else np.asarray(angles_deg, float)
    views, pixel_um = len(angles), pixel_nm / 1000
    field, width = 2 * round(FIELD_UM / pixel_um / 2), round(WIDTH_UM / pixel_um)
    margin = int(np.ceil(REACH * width / 2)) * 2
    volume = crowded_cell((rows + 2 * margin, field, field), pixel_um, rng)
    exact = project_strips(volume.astype(np.float32), angles, voxel_size_um=pixel_um, columns=field)
    shifts = jitter(views, width, rng)
    theta = np.deg2rad(angles)
    offset = (centre_um[1] * np.cos(theta) + centre_um[0] * np.sin(theta)) / pixel_um
    sharp = np.array([
        np.fft.ifft2(fourier_shift(np.fft.fft2(gaussian_filter(image, 17 / pixel_nm)), (dz, du - o))).real
        for image, (dz, du), o in zip(exact, shifts, offset, strict=True)
    ])  # fmt: skip
    first = (field - width) // 2
    interior = sharp[:, margin : margin + rows, first : first + width]
    picked = chosen(anchors, views)
    full = np.array([gaussian_filter(image, 30 / pixel_nm) for image in exact[picked]])
    full = full[:, margin : margin + rows].reshape(len(full), rows // 2, 2, field // 2, 2).mean(axis=(2, 4))
    detected = DETECTED_PER_10_NM * (pixel_nm / 10) ** 2 * photons

    def expose(absorbance, count):
        incident = count / np.exp(-absorbance).mean()
        return -np.log(np.maximum(rng.poisson(incident * np.exp(-absorbance)), 0.5) / incident).astype(np.float32)

    return Problem(expose(interior, detected), angles, expose(full, 4 * detected), angles[picked], -shifts, offset)
