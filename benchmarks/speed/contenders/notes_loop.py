"""The loop of the lab notes that the project comes from: a DataLoader, a SummaryWriter, `.item()` at every step."""

import torch
import tqdm
from common import arguments, datasets, done, network
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter


def main() -> None:
    given = arguments()
    device = torch.device(given.device)
    train, val = datasets(given.data)
    train_loader = DataLoader(train, batch_size=given.batch_size, shuffle=True)
    val_loader = DataLoader(val, batch_size=given.batch_size)
    model = network(train, given).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=given.lr)
    loss_function = nn.CrossEntropyLoss()
    writer = SummaryWriter(str(given.out))
    most = 0.0
    for epoch in range(given.epochs):
        model.train()
        for step, (x, y) in tqdm.tqdm(enumerate(train_loader)):
            x, y = x.to(device=device), y.to(device=device)
            model.zero_grad()
            loss = loss_function(model(x), y)
            loss.backward()
            optimizer.step()
            writer.add_scalar("loss/train", loss.item(), epoch * len(train_loader) + step)
        model.eval()
        right = 0
        with torch.no_grad():
            for step, (x, y) in tqdm.tqdm(enumerate(val_loader)):
                x, y = x.to(device=device), y.to(device=device)
                output = model(x)
                writer.add_scalar("loss/test", loss_function(output, y).item(), epoch * len(val_loader) + step)
                right += (output.argmax(dim=1) == y).sum().item()
        accuracy = right / len(val)
        writer.add_scalar("acc", accuracy, epoch)
        if accuracy > most:
            most = accuracy
            torch.save(model.state_dict(), given.out / "best.pt")
        done(epoch)
    writer.close()


if __name__ == "__main__":
    main()
