"""Accelerate, as its quick tour writes it, with its TensorBoard tracker and a checkpoint of each epoch."""

import torch
from accelerate import Accelerator
from common import arguments, datasets, done, network
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from tqdm.auto import tqdm


def main() -> None:
    given = arguments()
    train, val = datasets(given.data)
    accelerator = Accelerator(cpu=given.device == "cpu", log_with="tensorboard", project_dir=given.out)
    accelerator.init_trackers("bench")
    model = network(train, given)
    optimizer = torch.optim.Adam(model.parameters(), lr=given.lr)
    model, optimizer, train_loader, val_loader = accelerator.prepare(
        model,
        optimizer,
        DataLoader(train, batch_size=given.batch_size, shuffle=True),
        DataLoader(val, batch_size=given.batch_size),
    )
    for epoch in range(given.epochs):
        model.train()
        total = torch.zeros((), device=accelerator.device)
        for x, y in tqdm(train_loader):
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            accelerator.backward(loss)
            optimizer.step()
            total += loss.detach()
        model.eval()
        right = 0
        with torch.no_grad():
            for x, y in val_loader:
                predictions, targets = accelerator.gather_for_metrics((model(x).argmax(dim=1), y))
                right += (predictions == targets).sum().item()
        accelerator.log({"train_loss": total.item() / len(train_loader), "accuracy": right / len(val)}, step=epoch)
        accelerator.save_state(given.out / "last")
        done(epoch)
    accelerator.end_training()


if __name__ == "__main__":
    main()
