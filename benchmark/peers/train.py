"""Trains the article's network in PyTorch, as the article does, to compare curves and speed with a Herd run.

python benchmark/peers/train.py --list split.txt --data FOLDER --epochs 4 --batch 32 [--bf16] [--threads 2]

--list names one image a line: "train|test <class index> <path>", as `node bin/run.mjs benchmark/peers/split.ts FOLDER` prints
it, so that both train and test on the very same images.
"""
import argparse
import time
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from network import article


class Images(Dataset):
    def __init__(self, root, rows, transform):
        self.root, self.rows, self.transform = root, rows, transform

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        label, path = self.rows[index]
        return self.transform(Image.open(self.root / path).convert("RGB")), label


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)

    rows = {"train": [], "test": []}
    for line in Path(options.list).read_text().splitlines():
        split, label, path = line.split(" ", 2)
        rows[split].append((int(label), path))
    normalise = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    resize = [transforms.Resize(round(options.size * 300 / 256)), transforms.CenterCrop(options.size), transforms.ToTensor(), normalise]
    train = Images(Path(options.data), rows["train"], transforms.Compose([transforms.RandomHorizontalFlip(0.3), transforms.RandomRotation(40), *resize]))
    test = Images(Path(options.data), rows["test"], transforms.Compose(resize))
    classes = 1 + max(label for label, _ in rows["train"])
    model = article(classes, options.size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    criterion = nn.CrossEntropyLoss()

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bf16)

    for epoch in range(1, options.epochs + 1):
        model.train()
        begin, loss_sum, correct = time.time(), 0.0, 0
        for images, labels in DataLoader(train, options.batch, shuffle=True):
            optimizer.zero_grad()
            with autocast():
                logits = model(images.to(memory_format=torch.channels_last))
                loss = criterion(logits.float(), labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(labels)
            correct += (logits.argmax(1) == labels).sum().item()
        seconds = time.time() - begin
        model.eval()
        test_loss, test_correct = 0.0, 0
        with torch.no_grad():
            for images, labels in DataLoader(test, options.batch):
                with autocast():
                    logits = model(images.to(memory_format=torch.channels_last)).float()
                test_loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
                test_correct += (logits.argmax(1) == labels).sum().item()
        print(
            f"epoch {epoch}  train loss {loss_sum / len(train):.4f} accuracy {correct / len(train):.3f}"
            f"  test loss {test_loss / len(test):.4f} accuracy {test_correct / len(test):.3f}  {len(train) / seconds:.1f} images/s",
            flush=True,
        )


if __name__ == "__main__":
    main()
