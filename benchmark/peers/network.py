"""The article's network in PyTorch, with PyTorch's own initial weights."""
import torch
from torch import nn


def article(classes, size):
    layers, channels = [], 3
    for filters in (16, 32, 64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(channels, filters, 3), nn.ReLU()]
            channels = filters
        layers += [nn.MaxPool2d(2)]
    features = nn.Sequential(*layers)
    flat = features(torch.zeros(1, 3, size, size)).numel()
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.25), nn.Linear(flat, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, classes))
