"""What one core, or a GPU, makes of a plain matrix product, the machine's own limit: the best of the sizes.

python benchmark/peers/matmul.py --precision f32|bf16 [--device cuda:0]
"""
import argparse
import time

import torch

from device import facts, finish
from rounds import serve

SIZES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}
# A GPU that has had nothing to do is slow at first.
TRIES = {"cpu": 2, "cuda": 10}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    parser.add_argument("--device", type=torch.device, default="cpu")
    options = parser.parse_args()
    device = options.device
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    pairs = [(size, torch.randn(size, size).to(device, dtype), torch.randn(size, size).to(device, dtype)) for size in SIZES[device.type]]

    def rate(size, a, b):
        begin = time.perf_counter()
        torch.mm(a, b)
        finish(device)
        return 2 * size**3 / (time.perf_counter() - begin) / 1e9

    def best():
        return {"gigaflops": max(rate(*pair) for pair in pairs for _ in range(TRIES[device.type]))}

    best()
    serve(best, **facts(device))


main()
