"""Pictures: of filters, samples, learning curves, classes, attributions, units, networks and losses.

Functions that draw take `ax` and return the axes; matplotlib is loaded by the first of them. `network` and
`learning_curve_svg` need no other package, and those named for what they compute return arrays.
"""

from symdl.plot.annealing import ais, running_estimate
from symdl.plot.attribution import integrated_gradients, occlusion_map, saliency_map
from symdl.plot.classes import boundary, confusion
from symdl.plot.curves import learning_curve, learning_curve_svg
from symdl.plot.deconvnet import TopPatches, activities, deconvnet, top_patches
from symdl.plot.maps import activations, deconvolved, heat, integrated, occlusion, saliency, top_nine
from symdl.plot.network import Diagram, network
from symdl.plot.terrain import Terrain, loss_terrain, terrain
from symdl.plot.tiles import filter_images, filters, reconstructions, samples, tiled

__all__ = [
    "Diagram",
    "Terrain",
    "TopPatches",
    "activations",
    "activities",
    "ais",
    "boundary",
    "confusion",
    "deconvnet",
    "deconvolved",
    "filter_images",
    "filters",
    "heat",
    "integrated",
    "integrated_gradients",
    "learning_curve",
    "learning_curve_svg",
    "loss_terrain",
    "network",
    "occlusion",
    "occlusion_map",
    "reconstructions",
    "running_estimate",
    "saliency",
    "saliency_map",
    "samples",
    "terrain",
    "tiled",
    "top_nine",
    "top_patches",
]
