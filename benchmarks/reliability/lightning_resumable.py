"""Lightning, as its documentation writes what is to be reproduced and continued: seeds, `deterministic`, `"last"`."""

import lightning as L
from common import arguments, datasets, done, network
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader
from with_lightning import Classifier


class Epochs(L.Callback):
    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        done(trainer.current_epoch)


def main() -> None:
    given = arguments()
    L.seed_everything(0, workers=True)
    train, val = datasets(given.data)
    trainer = L.Trainer(
        max_epochs=given.epochs,
        accelerator="cpu",
        devices=1,
        deterministic=True,
        default_root_dir=given.out,
        callbacks=[Epochs(), ModelCheckpoint(dirpath=given.out / "checkpoints", save_last=True)],
    )
    trainer.fit(
        Classifier(network(train, given), given.lr),
        DataLoader(train, batch_size=given.batch_size, shuffle=True),
        DataLoader(val, batch_size=given.batch_size),
        ckpt_path="last",
    )


if __name__ == "__main__":
    main()
