"""The slides on learned anisotropic diffusion: every chart, and each claim held against images.

    python cli.py reproduce anisotropic_diffusion --quick

Perona and Malik's diffusion, with a contrast that a network chooses for each image, with trained
piecewise linear coefficients, and with borders told apart, under five corruptions.
"""

from __future__ import annotations

from anisotropic_diffusion.claims import check_claims, measure_edginess
from anisotropic_diffusion.coefficient_pictures import COEFFICIENTS, draw_borders, draw_coefficients
from anisotropic_diffusion.diffusion_page import NAME, write_sections
from anisotropic_diffusion.trials import NOISES, SHAPED, list_trials
from common.paper import Paper, Study

TRIALS = list_trials()
PAPER = Paper(
    name=NAME,
    title="Slides on learned anisotropic diffusion (December 2022)",
    redoes="coefficient maps, curves over noise levels, P1 functions and their partition, "
    "falling functions and splines, edginess, borders; 14 claims, each held against images with an "
    "interval.",
    trials=TRIALS,
    write_sections=write_sections,
    studies=(
        Study("edginess", "edginess of noisy images", measure_edginess),
        Study(
            "claims",
            "the claims of the slides",
            check_claims,
            # It takes what there is of those that take longest.
            needs=tuple(
                trial.name
                for trial in TRIALS
                if trial.quick and not trial.name.startswith(("p1_border", *SHAPED))
            ),
        ),
        Study(
            "coefficients",
            "maps of coefficients",
            draw_coefficients,
            needs=tuple(f"{name}_{noise}" for name in COEFFICIENTS for noise in NOISES),
        ),
        Study(
            "borders",
            "maps of borders and contrasts",
            draw_borders,
            needs=tuple(f"function_1_border_{noise}" for noise in NOISES),
        ),
    ),
)
