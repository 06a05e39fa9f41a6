"""Ignite, as its tutorial for beginners writes it (engines, metrics, TensorBoard, checkpoints), and with a bar."""

import torch
from common import arguments, datasets, done, network
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import ModelCheckpoint, ProgressBar, TensorboardLogger, global_step_from_engine
from ignite.metrics import Accuracy, Loss
from torch import nn
from torch.utils.data import DataLoader


def main() -> None:
    given = arguments()
    train, val = datasets(given.data)
    train_loader = DataLoader(train, batch_size=given.batch_size, shuffle=True)
    val_loader = DataLoader(val, batch_size=given.batch_size)
    model = network(train, given).to(given.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=given.lr)
    criterion = nn.CrossEntropyLoss()
    trainer = create_supervised_trainer(model, optimizer, criterion, given.device)
    metrics = {"accuracy": Accuracy(), "loss": Loss(criterion)}
    evaluator = create_supervised_evaluator(model, metrics=metrics, device=given.device)
    ProgressBar().attach(trainer, output_transform=lambda loss: {"loss": loss})
    saver = ModelCheckpoint(
        given.out, n_saved=1, score_name="accuracy", global_step_transform=global_step_from_engine(trainer),
        score_function=lambda engine: engine.state.metrics["accuracy"], require_empty=False,
    )  # fmt: skip
    evaluator.add_event_handler(Events.COMPLETED, saver, {"model": model})
    logger = TensorboardLogger(log_dir=given.out)
    logger.attach_output_handler(
        trainer, Events.ITERATION_COMPLETED(every=100), tag="training", output_transform=lambda loss: {"loss": loss}
    )
    logger.attach_output_handler(
        evaluator, Events.EPOCH_COMPLETED, tag="validation", metric_names="all",
        global_step_transform=global_step_from_engine(trainer),
    )  # fmt: skip

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate(engine: Engine) -> None:
        evaluator.run(val_loader)
        done(engine.state.epoch - 1)

    trainer.run(train_loader, max_epochs=given.epochs)
    logger.close()


if __name__ == "__main__":
    main()
