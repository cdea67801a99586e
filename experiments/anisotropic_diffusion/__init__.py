"""The parts of `anisotropic_diffusion_paper.py`: trials, claims, maps, pictures and the page."""
