"""Loads a safetensors file that Herd exported into PyTorch and compares logits.

    python safetensors_logits.py --model M.safetensors --images I.bin --dtype uint8|float32 --logits L.bin

M describes its network in its metadata entry "network"; the modules are built from that, in the list's order, so that
their state dict has exactly the file's names. I holds raw images [count, imageSize, imageSize, 3], pixel values from 0 to
255 as uint8 or float32; L holds the logits that Herd computed, raw float32 [count, classes]. Prints the largest
difference, and exits with 1 where it is beyond --tolerance. Needs torch, safetensors and numpy.
"""

import argparse
import json
import sys

import numpy
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional


class PaddedWindow(nn.Module):
    """What TensorFlow calls "same" may add one more after an axis than before it, so padding is a step of its own."""

    def __init__(self, window, pad, value):
        super().__init__()
        self.padding = (*pad, *pad)
        self.value = value
        # Registered under this module's own name: "0.weight", not "0.window.weight".
        self.weight = getattr(window, "weight", None)
        self.bias = getattr(window, "bias", None)
        object.__setattr__(self, "window", window)

    def forward(self, x):
        return self.window(functional.pad(x, self.padding, value=self.value))


class AveragePool(nn.Module):
    """Divides by the number of cells inside the image, as TensorFlow does."""

    def __init__(self, size, stride, pad):
        super().__init__()
        self.pool = PaddedWindow(nn.AvgPool2d(size, stride), pad, 0.0)

    def forward(self, x):
        return self.pool(x) / self.pool(torch.ones_like(x[:1, :1]))


class GlobalAveragePool(nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3))


class Residual(nn.Module):
    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers = layers
        self.shortcut = shortcut

    def forward(self, x):
        return self.layers(x) + self.shortcut(x)


ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU, "hardSwish": nn.Hardswish}


def build(layers, shape):
    """The modules for a list of layers on an input of `shape` (channels first), and the shape they put out."""
    modules = []
    for layer in layers:
        kind = layer["type"]
        if kind == "conv2d":
            window = nn.Conv2d(shape[0], layer["filters"], layer["kernel"], layer["stride"], bias=layer["bias"])
            module = PaddedWindow(window, layer["pad"], 0.0)
        elif kind == "depthwiseConv2d":
            window = nn.Conv2d(shape[0], shape[0], layer["kernel"], layer["stride"], bias=layer["bias"], groups=shape[0])
            module = PaddedWindow(window, layer["pad"], 0.0)
        elif kind == "maxPool":
            module = PaddedWindow(nn.MaxPool2d(layer["size"], layer["stride"]), layer["pad"], -float("inf"))
        elif kind == "averagePool":
            module = AveragePool(layer["size"], layer["stride"], layer["pad"])
        elif kind == "globalAveragePool":
            module = GlobalAveragePool()
        elif kind == "flatten":
            module = nn.Flatten()
        elif kind == "dense":
            module = nn.Linear(shape[0], layer["units"], bias=layer["bias"])
        elif kind in ACTIVATIONS:
            module = ACTIVATIONS[kind]()
        elif kind == "zeroPad":
            module = nn.ZeroPad2d((layer["before"], layer["after"]) * 2)
        elif kind == "dropout":
            module = nn.Dropout(layer["rate"])
        elif kind == "batchNorm":
            norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            module = norm(shape[0], eps=layer["epsilon"], momentum=1 - layer["momentum"])
        elif kind == "residual":
            module = Residual(build(layer["layers"], shape)[0], build(layer["shortcut"], shape)[0])
        else:
            raise SystemExit(f"unknown layer type {kind!r}")
        modules.append(module)
        with torch.no_grad():
            shape = tuple(module.eval()(torch.zeros(1, *shape)).shape[1:])
    return nn.Sequential(*modules), shape


def main():
    parser = argparse.ArgumentParser(description="Compares the logits of an exported network in PyTorch with Herd's.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--dtype", choices=["uint8", "float32"], default="uint8")
    parser.add_argument("--logits", required=True)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    arguments = parser.parse_args()

    with safe_open(arguments.model, "pt") as file:
        network = json.loads(file.metadata()["network"])
        state = {name: file.get_tensor(name) for name in file.keys()}
    size = network["imageSize"]
    model, _ = build(network["layers"], (3, size, size))
    model.load_state_dict(state, strict=True)
    model.eval()

    pixels = numpy.fromfile(arguments.images, dtype=arguments.dtype).reshape(-1, size, size, 3).astype(numpy.float32)
    mean = numpy.array(network["mean"], dtype=numpy.float32)
    std = numpy.array(network["std"], dtype=numpy.float32)
    images = torch.from_numpy(numpy.ascontiguousarray(((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)))
    with torch.no_grad():
        logits = model(images).numpy()
    expected = numpy.fromfile(arguments.logits, dtype=numpy.float32).reshape(logits.shape)

    difference = float(numpy.abs(logits - expected).max())
    largest = float(numpy.abs(expected).max())
    print(f"{network['name']}: {len(logits)} images, logits up to {largest:.4f}, largest difference {difference:.3g} (allowed {arguments.tolerance:g})")
    # Not "difference > tolerance", which NaN would pass.
    return 0 if difference <= arguments.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
