#!/usr/bin/env python3
"""export_onnx.py - a BERT as an ONNX file whose outputs are the tensors of a trace, under their trace names.

    python3 tests/conformance/export_onnx.py MODEL_DIR OUT.onnx [--hidden]

--hidden: only hidden states 0 to L, the pooler and the heads, which is what most exports offer. One sequence, (1, T), of any
length. The forward hooks of tests/golden/capture.py stay on while torch.onnx looks at the model, so that every intermediate
becomes an output of the graph; nothing of the computation is added or changed.
"""
import argparse
import logging
import os
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "golden"))

import torch

import capture


class Traced(torch.nn.Module):
    """The model with everything that the recorder finds as its result, in the order of `names`."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, input_ids, token_type_ids, attention_mask):
        with capture.Recorder(self.model) as recorder:
            self.model(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask)
        return tuple(recorder.found[name] for name in self.names)


def export(model, path, hidden_only=False):
    """Writes `path`; returns the names of its outputs."""
    L = model.config.num_hidden_layers
    names = capture.trace_names(L, **model.heads)
    if hidden_only:
        keep = set(capture.hidden_names(L)) | {"pooler", "cls.predictions.decoder", "cls.seq_relationship"}
        names = [n for n in names if n in keep]
    ones = lambda: torch.ones(1, 8, dtype=torch.int64)      # three tensors: the same one twice would become one input
    tokens = torch.export.Dim("tokens", min=1, max=model.config.max_position_embeddings)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.onnx.export(Traced(model, names), (ones(), 0 * ones(), ones()), path, dynamo=True, external_data=False,
                      input_names=["input_ids", "token_type_ids", "attention_mask"], output_names=names, verbose=False,
                      dynamic_shapes=[{1: tokens}] * 3)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--hidden", action="store_true")
    args = parser.parse_args()
    names = export(capture.load_model(args.model, torch.float32), args.out, args.hidden)
    print(f"{args.out}: {os.path.getsize(args.out):,} bytes, {len(names)} outputs")


if __name__ == "__main__":
    main()
