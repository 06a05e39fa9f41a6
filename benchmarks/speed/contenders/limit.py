"""The limit: forward, backward and step over batches that already exist, with the experiment's optimizer and format."""

import torch
from common import arguments, datasets, done, network
from my_experiment.device import channels_last
from my_experiment.optimizer import build_optimizer
from torch import Tensor
from torch.nn.functional import cross_entropy


def batches(tensors: tuple[Tensor, ...], size: int, device: str) -> list[tuple[Tensor, ...]]:
    return list(zip(*(tensor.to(device).split(size) for tensor in tensors), strict=True))


def main() -> None:
    given = arguments()
    train, val = datasets(given.data)
    model = channels_last(network(train, given).to(given.device))
    optimizer = build_optimizer(model, lr=1e-3, weight_decay=0.05)
    train_batches = batches(train.tensors, given.batch_size, given.device)
    val_batches = batches(val.tensors, 4 * given.batch_size, given.device)
    for epoch in range(given.epochs):
        model.train()
        for x, y in train_batches:
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            losses = [cross_entropy(model(x), y) for x, y in val_batches]
        torch.stack(losses).mean().item()
        done(epoch)


if __name__ == "__main__":
    main()
