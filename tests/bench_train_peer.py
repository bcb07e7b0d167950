"""bench_train_peer.py - PyTorch under the protocol of bench_train.c; tests/bench_train.py starts it.

python3 tests/bench_train_peer.py MODEL_DIR B T

step      milliseconds of processor and wall clock of a whole step
parts     milliseconds of processor time: forward, backward, clip and AdamW
check     the loss and the length of its gradient without dropout
memory    the most memory that the process has had, in MB
write     saves the weights into MODEL_DIR

What is done for its speed: one thread, the MLM head on the chosen tokens alone, AdamW and clipping fused over all tensors,
attention by scaled_dot_product_attention; gradients are set to None, not to 0.
"""
import os
import pathlib
import resource
import sys
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import torch
import transformers

torch.set_num_threads(1)
torch.manual_seed(0)


def make_step(B, T, V):
    """The same sequences as in bench_train.c."""
    n = torch.arange(B * T)
    t = n % T
    chosen = torch.isin(t % 20, torch.tensor([3, 9, 16])).nonzero()[:, 0]
    return {
        "ids": (5 + n * 7919 % (V - 5)).view(B, T),
        "types": (t >= T // 2).long().view(B, T),
        "chosen": chosen,
        "labels": 5 + chosen * 104729 % (V - 5),
        "next": torch.arange(B) % 2,
    }


class Bench:
    def __init__(self, directory, B, T):
        config = transformers.BertConfig.from_pretrained(directory)
        has_weights = (pathlib.Path(directory) / "model.safetensors").exists()
        model = transformers.BertForPreTraining
        self.model = (
            model.from_pretrained(directory, attn_implementation="sdpa")
            if has_weights
            else model._from_config(config, attn_implementation="sdpa")
        )
        self.x = make_step(B, T, config.vocab_size)
        names = lambda decays: [
            p
            for name, p in self.model.named_parameters()
            if decays == (p.ndim == 2)
        ]
        self.optimizer = torch.optim.AdamW(
            [{"params": names(True), "weight_decay": 0.01}, {"params": names(False), "weight_decay": 0.0}],
            lr=5e-5,
            betas=(0.9, 0.999),
            eps=1e-8,
            fused=True,
        )

    def forward(self):
        x = self.x
        hidden, pooled = self.model.bert(input_ids=x["ids"], token_type_ids=x["types"], return_dict=False)[:2]
        rows = hidden.view(-1, hidden.shape[-1])[x["chosen"]]
        cross_entropy = torch.nn.functional.cross_entropy
        mlm = cross_entropy(self.model.cls.predictions(rows), x["labels"])
        return mlm + cross_entropy(self.model.cls.seq_relationship(pooled), x["next"])

    def gradient(self):
        """forward and backward: the loss, and when the forward pass was done"""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.forward()
        half = time.process_time()
        loss.backward()
        return loss.item(), half

    def check(self):
        self.model.eval()
        loss, _ = self.gradient()
        length = torch.nn.utils.clip_grad_norm_(self.model.parameters(), float("inf"))
        return f"{loss:.9g} {length.item():.9g}"

    def step(self, parts):
        self.model.train()
        start, wall = time.process_time(), time.monotonic()
        _, half = self.gradient()
        back = time.process_time()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=True)
        self.optimizer.step()
        end = time.process_time()
        ms = [half - start, back - half, end - back] if parts else [end - start, time.monotonic() - wall]
        return " ".join(f"{1e3 * s:.3f}" for s in ms)


def main():
    directory, B, T = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    bench = Bench(directory, B, T)
    for line in sys.stdin:
        command = line.strip()
        if command == "memory":
            answer = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.1f}"
        elif command == "write":
            bench.model.save_pretrained(directory)
            answer = "written"
        else:
            answer = bench.check() if command == "check" else bench.step(command == "parts")
        print(answer, flush=True)


main()
