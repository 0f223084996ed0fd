"""Images as arrays: files and folders of them, digits as models know them, sizes, and more images from few."""

from symdl.images.augmentation import Augmentation, augmented_batches, cropped, flipped, rotated, shifted
from symdl.images.files import read_image
from symdl.images.folders import ImageFolder, image_folder
from symdl.images.handwriting import digit_from_image
from symdl.images.resizing import resized

__all__ = [
    "Augmentation",
    "ImageFolder",
    "augmented_batches",
    "cropped",
    "digit_from_image",
    "flipped",
    "image_folder",
    "read_image",
    "resized",
    "rotated",
    "shifted",
]
