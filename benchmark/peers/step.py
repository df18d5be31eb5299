"""Forward and backward pass of the article's network on one thread, or on a GPU, as PyTorch does it best there: images that
are in memory as it likes them, normalised. No optimizer, no data. Float32 is float32, not TF32.

python benchmark/peers/step.py --batch 32 --size 256 --precision f32|bf16 [--layout channels_last|contiguous] [--device cuda:0] [--steps 10] [--compile]
"""
import argparse
import time

import torch
from torch import nn

from device import facts, finish
from network import article
from rounds import serve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    parser.add_argument("--layout", choices=["channels_last", "contiguous"], default="channels_last")
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument("--steps", type=int, default=1, help="that a round's time is the mean of")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    device = options.device
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    model = article(10, options.size).to(device, memory_format=layout).train()
    if options.compile:
        model = torch.compile(model)
    criterion = nn.CrossEntropyLoss()
    images = torch.randn(options.batch, 3, options.size, options.size).to(device, memory_format=layout)
    labels = torch.randint(10, (options.batch,)).to(device)

    def step():
        model.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            loss = criterion(model(images), labels)
        loss.backward()
        finish(device)

    def measure():
        begin = time.perf_counter()
        for _ in range(options.steps):
            step()
        return {"seconds": (time.perf_counter() - begin) / options.steps}

    for _ in range(2):
        step()
    serve(measure, **facts(device))


main()
