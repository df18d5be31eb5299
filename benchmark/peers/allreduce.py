"""gloo's all-reduce of a float32 vector, one process of it.

RANK=0 WORLD_SIZE=4 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python benchmark/peers/allreduce.py --floats 2230170 --steps 10
"""
import argparse
import time

import torch
import torch.distributed as dist

from rounds import serve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--floats", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    vector = torch.ones(options.floats)

    def steps():
        vector.fill_(1)
        dist.barrier()
        begin = time.perf_counter()
        for _ in range(options.steps):
            dist.all_reduce(vector)
        return {"seconds": (time.perf_counter() - begin) / options.steps}

    steps()
    serve(steps, torch=torch.__version__)


main()
