"""Steps of DistributedDataParallel over gloo, one process of it: forward and backward pass, all-reduce, Adam. The batch is in
memory as PyTorch likes it, normalised: no file is read and no image is transformed.

RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python benchmark/peers/ddp.py --batch 32 --size 256 --precision f32|bf16 --steps 4

--batch is the global one. A world of one process trains without DistributedDataParallel.
"""
import argparse
import os
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from network import article
from rounds import serve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = int(os.environ["WORLD_SIZE"])
    model = article(10, options.size).to(memory_format=torch.channels_last).train()
    if world > 1:
        dist.init_process_group("gloo")
        model = DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    criterion = nn.CrossEntropyLoss()
    own = options.batch // world
    images = torch.randn(own, 3, options.size, options.size).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (own,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()

    def steps():
        if world > 1:
            dist.barrier()
        begin = time.perf_counter()
        for _ in range(options.steps):
            step()
        return {"seconds": (time.perf_counter() - begin) / options.steps}

    steps()
    serve(steps, torch=torch.__version__)


main()
