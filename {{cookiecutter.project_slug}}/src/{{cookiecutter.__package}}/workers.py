"""Processes that train one model together: torchrun starts them, and each computes its share of every batch."""

import os
import platform
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed import distributed_c10d
from torch.distributed.rendezvous import rendezvous

from .errors import LostError, RefusedError, out_of_memory
from .torchrun import has_partners


class Workers:
    """The processes of this training. Alone, nothing here costs anything.

    Everyone calls everything, in the same order. What several processes add up differs from what one adds in the last
    bits only; but batch norm sees each share by itself, and dropout draws for each share. Raises LostError as soon as
    another process is gone, and RefusedError if there are not as many as `expected`.
    """

    def __init__(self, device: torch.device, *, expected: int | None = None) -> None:
        self.rank, self.size = 0, 1
        self.asked: tuple[Tensor, distributed.Work] | None = None  # the last question, under way
        if has_partners():
            meet(lambda: start("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"))
            self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.leads = self.rank == 0  # whether this process writes, and speaks, for all
        if self.size != (expected or self.size):
            what = f"the run is trained by {expected} processes, and now there are {self.size}"
            raise RefusedError(what, "on the command line", "start as many, or a new run")

    def share(self, count: int) -> slice:
        """Return which of so many samples are for this process; of a small batch, that may be none."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def add_gradients(self, model: nn.Module, weight: float) -> None:
        """Replace each gradient by the sum over all processes, and each running statistic by the weighted mean.

        The weight is the part of the batch that this process has. In double precision, equal numbers stay as they are.
        """
        if self.size == 1:
            return
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        absent = [k for k, parameter in enumerate(parameters) if parameter.grad is None]  # no sample here, or no use
        used = parameters[0].new_ones(len(parameters))
        for k in absent:
            parameters[k].grad, used[k] = torch.zeros_like(parameters[k]), 0
        self.add([used, *(parameter.grad for parameter in parameters)])  # type: ignore[list-item]
        for k in absent:  # what no process has used is left alone by the optimizer, as it is by one that is alone
            parameters[k].grad = parameters[k].grad if used[k] else None
        statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        weighted = [buffer.double() * weight if weight else torch.zeros_like(buffer).double() for buffer in statistics]
        self.add(weighted)
        for buffer, mean in zip(statistics, weighted, strict=True):
            buffer.copy_(mean)

    def add(self, tensors: list[Tensor]) -> None:
        """Replace tensors, in place, by their sums over all processes."""
        if self.size == 1 or not tensors:
            return
        whole = torch.cat([tensor.reshape(-1) for tensor in tensors])
        meet(lambda: distributed.all_reduce(whole))
        for tensor, part in zip(tensors, whole.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))

    def gather(self, tensor: Tensor, count: int) -> Tensor:
        """Return (count, ...) from the shares (n, ...) of all processes, in their order."""
        if self.size == 1:
            return tensor
        number = tensor.dtype if tensor.is_floating_point() else torch.int64  # not all others can be added everywhere
        whole = torch.zeros((count, *tensor.shape[1:]), dtype=number, device=tensor.device)
        whole[self.share(count)] = tensor.to(number)
        self.add([whole])
        return whole.to(tensor.dtype)

    def collect(self, thing: Any) -> list[Any]:
        """Return what each process has given, in their order."""
        things = [thing] * self.size
        if self.size > 1:
            meet(lambda: distributed.all_gather_object(things, thing))
        return things

    def compare(self, start: dict[str, Any]) -> None:
        """Raise RefusedError, with the names, if the processes do not all start from the same."""
        starts = self.collect(start)
        if different := [name for name in start if any(each.get(name) != start[name] for each in starts)]:
            fix = "give all the same flags, share --data.path and --runs-dir, and say --data.resident yes or no"
            raise RefusedError(f"the processes have different {', '.join(different)}", "with torchrun", fix)

    def ask_all(self, number: int | None) -> int | None:
        """Ask all for a number; return the largest of the call before, so that no step waits; alone, the own one."""
        if self.size == 1:
            return number
        largest = None
        if self.asked:
            answer, work = self.asked
            meet(work.wait)
            largest = None if answer < 0 else int(answer)
        question = torch.tensor(-1 if number is None else number)  # becomes the answer, in place
        self.asked = question, distributed.all_reduce(question, distributed.ReduceOp.MAX, async_op=True)
        return largest

    def go_on_alone(self) -> None:
        """Go on alone, once all have done what they do for all: torchrun ends the others when one leaves early."""
        if self.asked:
            meet(self.asked[1].wait)
        self.collect(None)
        if self.size > 1:
            meet(distributed.destroy_process_group)
        self.size, self.asked = 1, None


def start(backend: str) -> None:
    """Find the other processes; not, after a restart by torchrun, those of the attempt before, whose store it keeps."""
    store, rank, size = next(rendezvous("env://"))
    store = distributed_c10d.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size)


def meet(collective: Callable[[], Any]) -> None:
    """Wait for the other processes. Raises LostError if one of them is gone."""
    try:
        collective()
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        reason = re.sub(r"^\[.*?\] | \[.*?\](:\d+)?|(\. |\n)[\s\S]*", "", str(error))  # not in which line of gloo
        what, fix = f"another process of this training has ended ({reason})", "look for its message, then resume"
        raise LostError(what, f"says the one on {platform.node()}", fix) from error
