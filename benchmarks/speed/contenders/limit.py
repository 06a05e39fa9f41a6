"""The limit: forward, backward and step over batches that already exist, with the experiment's optimizer and format.

On a GPU with its precision too, and recorded as a CUDA graph; the smaller batch at the end is left out there.
"""

import torch
from common import arguments, datasets, done, network
from my_experiment.batches import evaluation_batch_size
from my_experiment.device import prepare
from my_experiment.graph import WARM_UP, Recording
from my_experiment.optimizer import build_optimizer
from torch import Tensor
from torch.nn.functional import cross_entropy


def batches(tensors: tuple[Tensor, ...], size: int, device: str) -> list[tuple[Tensor, Tensor]]:
    x, y = (tensor.to(device).split(size) for tensor in tensors)
    return list(zip(x, y, strict=True))


def main() -> None:
    given = arguments()
    train, val = datasets(given.data)
    model = prepare(network(train, given), torch.device(given.device))
    gpu = given.device.startswith("cuda")
    optimizer = build_optimizer(model, lr=given.lr, weight_decay=0.05, capturable=gpu)
    train_batches = batches(train.tensors, given.batch_size, given.device)
    shape = tuple(train.tensors[0].shape[1:])
    size = evaluation_batch_size(given.batch_size, shape, torch.device(given.device))
    val_batches = batches(val.tensors, size, given.device)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=gpu):
            return cross_entropy(model(x), y)

    def step(x: Tensor, y: Tensor, count: int = 0) -> Tensor:
        optimizer.zero_grad()
        result = loss(x, y)
        result.backward()
        optimizer.step()
        return result.detach()

    if gpu:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        train_batches = [(x, y) for x, y in train_batches if len(x) == given.batch_size]
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                step(*train_batches[0])
        step = Recording(step, *train_batches[0], stream=stream).replay
    for epoch in range(given.epochs):
        model.train()
        for x, y in train_batches:
            step(x, y)
        model.eval()
        with torch.inference_mode():
            losses = [loss(x, y) for x, y in val_batches]
        torch.stack(losses).mean().item()
        done(epoch)


if __name__ == "__main__":
    main()
