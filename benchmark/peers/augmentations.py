"""Golden values for the random transforms of shared/data/transforms/: what torchvision makes of PIL images, with its random numbers given.

    python benchmark/peers/augmentations.py > test/unit/shared/data/transforms/augmentations.golden.json

Needs torch, torchvision, Pillow and numpy; nothing in the test suite runs it.
"""

import hashlib
import json
import math
import random

import numpy
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode, functional
from torchvision.transforms import transforms as module
from torchvision.transforms.autoaugment import _apply_op


def synthetic(width, height, darkest=0, brightest=255):
    """The test's picture: value (x, y, c) = darkest + (31x + 17y + 71c + xy (c + 1)) mod (brightest - darkest + 1)."""
    y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij")
    values = darkest + (31 * x + 17 * y + 71 * c + x * y * (c + 1)) % (brightest - darkest + 1)
    return Image.fromarray(values.astype(numpy.uint8))


def digest(images):
    hashed = hashlib.sha256()
    for image in images:
        hashed.update(numpy.asarray(image).tobytes())
    return hashed.hexdigest()


class GivenNumbers:
    """Stands in for torch inside torchvision's get_params, which then draws given numbers, and computes in float64."""

    def __init__(self, numbers, y, x):
        self.numbers, self.places, self.shapes = numbers, [x, y], []

    def __enter__(self):
        module.torch = self
        return self

    def __exit__(self, *_):
        module.torch = torch

    def tensor(self, values, dtype=torch.float64):
        return torch.tensor(values, dtype=dtype)

    def log(self, values):
        return torch.log(values)

    def empty(self, *_):
        return self

    def uniform_(self, low, high):
        drawn = self.tensor([float(low) + (float(high) - float(low)) * next(self.numbers)])
        self.shapes.append(drawn.item())
        return drawn

    def exp(self, drawn):
        self.shapes[-1] = math.exp(drawn.item())
        return self.tensor([self.shapes[-1]])

    def randint(self, low, high, size):
        return torch.tensor([low + math.floor(self.places.pop() * (high - low))])

    def tried(self):
        """The shapes that were tried, as pairs of share and ratio."""
        return list(zip(self.shapes[::2], self.shapes[1::2]))


def operations():
    space = transforms.TrivialAugmentWide()._augmentation_space(31)
    pictures = [(48, 0, 255), (31, 0, 90), (33, 150, 255), (1, 7, 200), (2, 0, 255), (20, 60, 60)]
    for name, (magnitudes, signed) in space.items():
        values = [float(value) for value in magnitudes] if magnitudes.ndim > 0 else [0.0]
        of = []
        for size, darkest, brightest in pictures:
            results = [
                _apply_op(synthetic(size, size, darkest, brightest), name, sign * value, InterpolationMode.NEAREST, None)
                for sign in ([1.0, -1.0] if signed else [1.0])
                for value in values
            ]
            of.append({"size": size, "darkest": darkest, "brightest": brightest, "sha256": digest(results)})
        yield {"operation": name, "signed": signed, "magnitudes": values, "pictures": of}


def crops(numbers):
    sizes = [(300, 225, 64), (225, 300, 64), (160, 213, 128), (97, 41, 64), (31, 200, 48), (700, 500, 32), (5, 3, 32), (1, 1, 16), (400, 20, 24), (20, 400, 24)]
    ranges = [([0.08, 1.0], [3 / 4, 4 / 3]), ([0.35, 1.0], [3 / 4, 4 / 3]), ([0.9, 1.0], [0.5, 2.0]), ([1.0, 1.0], [0.9, 1.1])]
    for width, height, image_size in sizes:
        for scale, ratio in ranges:
            image = synthetic(width, height)
            y, x = next(numbers), next(numbers)
            with GivenNumbers(numbers, y, x) as given:
                top, left, h, w = transforms.RandomResizedCrop.get_params(image, scale, ratio)
            # Rows are narrowed before columns, in two calls: until Pillow 12 one call did the same, from 13 on it takes the cheaper order.
            narrowed = functional.resized_crop(image, top, left, h, w, [h, image_size], InterpolationMode.BILINEAR)
            out = functional.resize(narrowed, [image_size, image_size], InterpolationMode.BILINEAR)
            yield {
                "width": width, "height": height, "imageSize": image_size, "ratio": ratio, "shapes": given.tried(), "y": y, "x": x,
                "part": {"left": left, "top": top, "width": w, "height": h}, "sha256": digest([out]),
            }


def erasures(numbers):
    for size in [5, 32, 128]:
        for scale, ratio in [([0.02, 0.33], [0.3, 3.3])] * 5 + [([0.5, 1.0], [0.3, 3.3]), ([1.0, 1.0], [1.0, 1.0])]:
            image = torch.zeros(3, size, size)
            y, x = next(numbers), next(numbers)
            with GivenNumbers(numbers, y, x) as given:
                top, left, h, w, v = transforms.RandomErasing.get_params(image, scale, ratio, [124.0, 116.0, 104.0])
            filled = v is not image
            yield {"size": size, "shapes": given.tried(), "y": y, "x": x, "box": {"left": left, "top": top, "width": w, "height": h} if filled else None}


def shifts():
    for size, padding, mode in [(8, 3, "reflect"), (17, 16, "reflect"), (8, 3, "constant"), (5, 6, "constant")]:
        padded = functional.pad(synthetic(size, size), padding, padding_mode=mode)
        places = range(2 * padding + 1)
        yield {"size": size, "padding": padding, "mode": mode, "sha256": digest(functional.crop(padded, top, left, size, size) for top in places for left in places)}


def main():
    draws = random.Random(20)
    numbers = iter(lambda: draws.getrandbits(20) / 2**20, None)
    parts = {"operations": operations(), "crops": crops(numbers), "erasures": erasures(numbers), "shifts": shifts()}
    lists = [f'"{name}": [\n' + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]" for name, cases in parts.items()]
    print("{" + ",\n".join(lists) + "}")


if __name__ == "__main__":
    main()
