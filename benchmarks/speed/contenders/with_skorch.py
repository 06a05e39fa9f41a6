"""skorch, as its documentation writes it: a NeuralNetClassifier with its default callbacks, and checkpoints."""

import torch
from common import arguments, datasets, done, network
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, Checkpoint
from skorch.helper import predefined_split
from torch import nn


class Clock(Callback):
    def on_epoch_end(self, net: NeuralNetClassifier, **unused: object) -> None:
        done(len(net.history) - 1)


def main() -> None:
    given = arguments()
    train, val = datasets(given.data)
    net = NeuralNetClassifier(
        network(train, given),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=given.lr,
        max_epochs=given.epochs,
        batch_size=given.batch_size,
        iterator_train__shuffle=True,
        train_split=predefined_split(val),
        device=given.device,
        callbacks=[("checkpoint", Checkpoint(dirname=given.out)), ("clock", Clock())],
    )
    net.fit(train, y=None)


if __name__ == "__main__":
    main()
