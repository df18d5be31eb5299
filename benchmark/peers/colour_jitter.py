"""Golden values for shared/data/transforms/colour_jitter.ts: what Pillow makes of images, whose pixels torchvision's ColorJitter takes over as they are.

    python benchmark/peers/colour_jitter.py > test/unit/shared/data/transforms/colour_jitter.golden.json

Needs Pillow and numpy; nothing in the test suite runs it.
"""

import hashlib
import json

import numpy
from PIL import Image, ImageEnhance

ENHANCERS = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}


def synthetic(size, darkest, brightest):
    """The test's picture: value (x, y, c) = darkest + (31x + 17y + 71c + xy (c + 1)) mod (brightest - darkest + 1)."""
    y, x, c = numpy.meshgrid(numpy.arange(size), numpy.arange(size), numpy.arange(3), indexing="ij")
    values = darkest + (31 * x + 17 * y + 71 * c + x * y * (c + 1)) % (brightest - darkest + 1)
    return Image.fromarray(values.astype(numpy.uint8))


def main():
    cases = []
    for size, darkest, brightest in [(48, 0, 255), (31, 0, 90), (31, 150, 255), (1, 7, 200)]:
        for name, enhancer in ENHANCERS.items():
            for factor in [0.0, 0.4, 0.8123456789, 0.97, 1.0, 1.0371, 1.2, 1.6180339887, 2.0]:
                out = enhancer(synthetic(size, darkest, brightest)).enhance(factor)
                digest = hashlib.sha256(numpy.asarray(out).tobytes()).hexdigest()
                cases.append({"size": size, "darkest": darkest, "brightest": brightest, "change": name, "factor": factor, "sha256": digest})
    print("[\n" + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]")


if __name__ == "__main__":
    main()
