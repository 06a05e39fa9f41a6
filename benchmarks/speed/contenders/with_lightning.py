"""Lightning, as its introduction writes it, with its default logger, progress bar and checkpoints."""

import lightning as L
import torch
from common import arguments, datasets, done, network
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader


class Classifier(L.LightningModule):
    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__()
        self.model = model
        self.lr = lr

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        x, y = batch
        loss = cross_entropy(self.model(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        x, y = batch
        output = self.model(x)
        self.log("val_loss", cross_entropy(output, y), prog_bar=True)
        self.log("val_accuracy", (output.argmax(dim=1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Clock(L.Callback):
    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.current_epoch:
            done(trainer.current_epoch - 1)

    def on_fit_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        assert trainer.max_epochs
        done(trainer.max_epochs - 1)


def main() -> None:
    given = arguments()
    train, val = datasets(given.data)
    trainer = L.Trainer(
        max_epochs=given.epochs,
        accelerator="gpu" if given.device.startswith("cuda") else "cpu",
        devices=1,
        default_root_dir=given.out,
        callbacks=[Clock()],
    )
    trainer.fit(
        Classifier(network(train, given), given.lr),
        DataLoader(train, batch_size=given.batch_size, shuffle=True),
        DataLoader(val, batch_size=given.batch_size),
    )


if __name__ == "__main__":
    main()
