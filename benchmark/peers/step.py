"""Forward and backward pass of the article's network on one thread, as PyTorch does it best on a CPU: images that are in
memory as it likes them, normalised. No optimizer, no data.

python benchmark/peers/step.py --batch 32 --size 256 --precision f32|bf16 [--layout channels_last|contiguous] [--compile]
"""
import argparse
import time

import torch
from torch import nn

from network import article
from rounds import serve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    parser.add_argument("--layout", choices=["channels_last", "contiguous"], default="channels_last")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    model = article(10, options.size).to(memory_format=layout).train()
    if options.compile:
        model = torch.compile(model)
    criterion = nn.CrossEntropyLoss()
    images = torch.randn(options.batch, 3, options.size, options.size).to(memory_format=layout)
    labels = torch.randint(10, (options.batch,))

    def step():
        begin = time.perf_counter()
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            loss = criterion(model(images), labels)
        loss.backward()
        return {"seconds": time.perf_counter() - begin}

    for _ in range(2):
        step()
    serve(step, torch=torch.__version__)


main()
