"""Golden values for the transforms of shared/data/transforms/: what torchvision makes of PIL images.

    python benchmark/peers/transforms.py cases.json > golden.json
    python benchmark/peers/transforms.py --synthetic > golden.json

cases.json is a list of {"pixels" | "file", "width", "height", "imageSize", "flip", "degrees"}: `pixels` names a file of raw
RGB bytes (width x height), `file` an image that PIL opens; `degrees` null means the evaluation transforms. Each case gets
the sha256 of the uint8 [imageSize, imageSize, 3] that comes out. --synthetic computes the cases of
test/unit/shared/data/transforms/transforms.test.ts. Needs torchvision and Pillow (not Pillow-SIMD); nothing in the test suite runs it.
"""

import hashlib
import json
import sys

import numpy
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional


def synthetic(width, height):
    """The test's picture: value (x, y, c) = 7x + 13y + 29c + xy (c + 1) mod 251, with a hard edge every 16 pixels."""
    y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij")
    smooth = (7 * x + 13 * y + 29 * c + x * y * (c + 1)) % 251
    edge = ((x >> 4) + (y >> 4)) & 1
    return Image.fromarray(numpy.where(edge == 1, 255 - smooth, smooth).astype(numpy.uint8), "RGB")


def transform(image, image_size, flip, degrees):
    """RandomHorizontalFlip, RandomRotation, Resize and CenterCrop with their random values given."""
    if flip:
        image = functional.hflip(image)
    if degrees is not None:
        image = functional.rotate(image, degrees, InterpolationMode.NEAREST)
    target = (image_size * 300 + 128) // 256
    image = functional.resize(image, target, InterpolationMode.BILINEAR)
    return functional.center_crop(image, image_size)


def open_case(case):
    if "pixels" in case:
        with open(case["pixels"], "rb") as file:
            return Image.frombytes("RGB", (case["width"], case["height"]), file.read())
    if "file" in case:
        return Image.open(case["file"]).convert("RGB")
    return synthetic(case["width"], case["height"])


def synthetic_cases():
    sizes = [(300, 225, 256), (225, 300, 256), (64, 64, 64), (97, 41, 64), (31, 200, 48), (700, 500, 64), (640, 480, 255), (5, 3, 32), (1, 1, 16), (300, 400, 256)]
    augmentations = [(False, None), (False, 0.0), (True, 0.0), (False, 13.37), (True, -39.99), (True, 30.0), (False, -0.001)]
    for width, height, image_size in sizes:
        for flip, degrees in augmentations:
            yield {"width": width, "height": height, "imageSize": image_size, "flip": flip, "degrees": degrees}


def main():
    if sys.argv[1:] == ["--synthetic"]:
        cases = list(synthetic_cases())
    elif len(sys.argv) == 2:
        with open(sys.argv[1]) as file:
            cases = json.load(file)
    else:
        sys.exit(__doc__)
    for case in cases:
        out = transform(open_case(case), case["imageSize"], case["flip"], case["degrees"])
        case["sha256"] = hashlib.sha256(numpy.asarray(out).tobytes()).hexdigest()
    print("[\n" + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]")


if __name__ == "__main__":
    main()
