"""What one core makes of a plain matrix product, the machine's own limit: the best of the sizes.

python benchmark/peers/matmul.py --precision f32|bf16
"""
import argparse
import time

import torch

from rounds import serve

SIZES = (1024, 2048)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    pairs = [(size, torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)) for size in SIZES]

    def rate(size, a, b):
        begin = time.perf_counter()
        torch.mm(a, b)
        return 2 * size**3 / (time.perf_counter() - begin) / 1e9

    def best():
        return {"gigaflops": max(rate(*pair) for pair in pairs for _ in range(2))}

    best()
    serve(best, torch=torch.__version__)


main()
