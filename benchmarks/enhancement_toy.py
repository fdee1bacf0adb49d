"""What an enhancement can and cannot do, and what fools the numbers: the toy experiments of docs/enhancement.md.

Run: python benchmarks/enhancement_toy.py [--figure docs/images/enhancement_transfer.png] (some seconds)
"""

import argparse
from pathlib import Path

import numpy as np
from skimage.restoration import denoise_tv_chambolle

from sxtbench.acquisition.wave import blur_out_of_focus, image_partly_coherent, source_points
from sxtbench.enhancement import Chain, paganin, paganin_length_nm, paganin_volume, transfer_figure, unsharp_mask
from sxtbench.metrics import cnr, lac_regression, score_contrast
from sxtbench.metrics.contrast import CELL, contrast_regions, gaussian_low_pass, low_pass_family

N, VOXEL, ANGLES = 64, 90.0, np.arange(-60, 61, 2)
LIGHT = {"energy_ev": 500.0, "delta": 1.81e-4, "beta": 1e-4}


def phantom(texture_sd: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, truth, a noisy and blurred answer, and where it is scored."""
    rng = np.random.default_rng(1)
    place = np.indices((N, N, N)) - (N - 1) / 2
    r = np.linalg.norm(place, axis=0)
    labels = (r < 22).astype(np.uint8)
    labels[np.linalg.norm(place - np.array([0, 4, 8])[:, None, None, None], axis=0) < 8] = 2
    for centre in rng.uniform(-11, 11, (8, 3)):
        labels[np.linalg.norm(place - centre[:, None, None, None], axis=0) < 3.2] = 3
    texture = gaussian_low_pass(rng.normal(size=labels.shape).astype(np.float32), 0.8)
    truth = np.array([0.112, 0.346, 0.182, 0.62])[labels] + texture_sd * texture / texture.std() * (labels == 1)
    truth = truth.astype(np.float32)
    # noise that grows with frequency, as that of filtered backprojection
    k = np.sqrt(sum(np.square(f) for f in np.meshgrid(*[np.fft.fftfreq(N)] * 3, indexing="ij")))
    noise = np.fft.ifftn(np.fft.fftn(rng.normal(size=labels.shape)) * np.sqrt(k)).real
    answer = gaussian_low_pass(truth, 0.4) + (0.17 * noise / noise.std()).astype(np.float32)
    return labels, truth, answer, r < 28


def two_steps(volume: np.ndarray) -> np.ndarray:
    """Apply a transfer of 0.51 right above the lowest shells, and 0 from a fifth of a cycle per voxel on."""
    k = np.sqrt(sum(np.square(f) for f in np.meshgrid(*[np.fft.fftfreq(n) for n in volume.shape], indexing="ij")))
    transfer = np.where(k < 4.5 / N, 1.0, np.where(k < 0.2, 0.51, 0.0))
    return np.fft.ifftn(np.fft.fftn(volume) * transfer).real.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path, help="draw the transfers there, and do nothing else")
    figure = parser.parse_args().figure
    if figure:
        chains = {}
        for distance in (5.0, 15.0, 60.0):
            length = paganin_length_nm(distance_um=distance, **LIGHT)
            name = f"Paganin, {distance:g} um ({length:.0f} nm)"
            chains[name] = Chain(pixel_size_nm=VOXEL, length_nm=length)
            chains[f"{name}, unsharp mask"] = Chain(pixel_size_nm=VOXEL, length_nm=length, sigma_px=2.0, amount=1.0)
        transfer_figure(chains, figure)
        return
    for texture_sd in (0.03, 0.0):
        labels, truth, plain, region = phantom(texture_sd)
        holder = np.ones(labels.shape, bool)
        regions = contrast_regions(labels, holder, voxel_size_nm=VOXEL, erosion_voxels=1)
        where = {"voxel_size_nm": VOXEL, "angles_deg": ANGLES}
        family = low_pass_family(plain, truth, regions, region, [2, 3, CELL], **where)
        smooth = paganin_volume(plain, distance_um=40.0, voxel_size_nm=VOXEL, **LIGHT)
        painted = truth.copy()
        for label in (1, 2, 3):
            painted[labels == label] = truth[labels == label].mean()
        answers = {
            "plain": plain,
            "Gaussian, sigma 0.75": gaussian_low_pass(plain, 0.75),
            "Gaussian, sigma 1.25": gaussian_low_pass(plain, 1.25),
            "Gaussian, grey values doubled": 2 * gaussian_low_pass(plain, 1.25),
            "unsharp mask": unsharp_mask(plain, sigma_px=1.0, amount=0.5),
            "Paganin": smooth,
            "Paganin, unsharp mask": unsharp_mask(smooth, sigma_px=1.5, amount=1.0),
            "two steps": two_steps(plain),
            "total variation, 0.1": denoise_tv_chambolle(plain, weight=0.1, max_num_iter=60, eps=0),
            "total variation, 0.3": denoise_tv_chambolle(plain, weight=0.3, max_num_iter=60, eps=0),
            "true labels, class means": painted,
        }
        print(f"\ntexture {texture_sd:g}/um\n| answer | CNR | MTF50, nm | gain | gain without the slope | overshoot |")
        print("|---|---|---|---|---|---|")
        for name, answer in answers.items():
            scores = score_contrast(answer, truth, labels, regions, region, family, **where)
            found = {metric: value for metric, label, value in scores if label is None}
            gain = found["cnr_gain_matched@1"]
            raw = [cnr(answer, truth, *regions.pair(i)) for i in family.interfaces]
            sigma = found["matched_sigma@1"]
            low = gaussian_low_pass(plain, sigma)
            rawest = [cnr(low, truth, *regions.pair(i)) for i in family.interfaces]
            letter = float(np.exp(np.mean(np.log(np.divide(raw, rawest)))))
            flag = " (beyond)" if found["outside_family@1"] else ""
            print(
                f"| {name} | {found['cnr_mean@1']:.2f} | {found['mtf50@1']:.0f}{flag} | {gain:.2f} | {letter:.2f} "
                f"| {found['overshoot@1']:.2f} |"
            )

    print("\nOne material, 1.5 um from focus, no noise: error of the absorbance, sd over that of the absorbance")
    print("| pixel, nm | Fresnel number | light | as taken | Paganin's filter |\n|---|---|---|---|---|")
    rng = np.random.default_rng(2)
    for pixel in (20.0, 40.0, 90.0, 160.0):
        k = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij"))
        absorbance = np.fft.ifft2(np.fft.fft2(rng.normal(size=(128, 128))) * np.exp(-((k / 0.15) ** 2))).real
        absorbance = (1 + 0.2 * absorbance / absorbance.std())[None].astype(np.float32)
        lens = {"pixel_size_nm": pixel, "outer_zone_width_nm": 30.0, "energy_ev": 500.0, "defocus_nm": 1500.0}
        phase = np.float32(-LIGHT["delta"] / LIGHT["beta"] / 2) * absorbance
        lights = {
            "incoherent": blur_out_of_focus(np.exp(-absorbance), **lens),
            "nine points, 0.5": image_partly_coherent(absorbance, phase, sources_na=source_points(0.5), **lens),
            "one point": image_partly_coherent(absorbance, phase, sources_na=np.zeros((1, 2)), **lens),
        }
        part = (0, slice(24, -24), slice(24, -24))
        for name, light in lights.items():
            found = paganin(light, distance_um=1.5, pixel_size_nm=pixel, **LIGHT)
            errors = [
                (image[part] - absorbance[part]).std() / absorbance[part].std() for image in (-np.log(light), found)
            ]
            fresnel = pixel**2 / (1500 * 2.4797)
            print(f"| {pixel:g} | {fresnel:.2f} | {name} | {errors[0]:.3f} | {errors[1]:.3f} |")
    slope, _ = lac_regression(smooth, truth, region)
    print(f"\nSlope of the Paganin-filtered volume on the truth: {slope:.3f}")


if __name__ == "__main__":
    main()
