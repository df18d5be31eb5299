"""The CPU or a GPU, where PyTorch computes."""
import torch


def finish(device):
    """Waits for what was started: a GPU computes beside the program."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def facts(device):
    """What a script tells of itself at its start."""
    return {"torch": torch.__version__, **({"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {})}
