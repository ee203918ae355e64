"""A trained sentence encoder as its users export it: models for `selfsame import`, and real sentences.

usage:
  python tools/real_encoder.py real MODEL_DIR OUT
      MODEL_DIR is a BertModel of transformers with its tokenizer.json (all-MiniLM-L6-v2, say).
      Writes OUT/KIND-ATTENTION-EXPORTER.onnx (raw: last_hidden_state and pooler_output; sentence: mean
      pooling and L2 norm in the graph), OUT/dynamic.onnx (ONNX Runtime's dynamic int8 of one of them)
      and OUT/s32.npz, OUT/s128.npz: token ids of 512 texts, the sentences of the docstrings of Python's
      standard library and of this repository's documents, one to five of them a row for 128.
  python tools/real_encoder.py tiny OUT
      The same exports of a random encoder of a few channels: two are data of the compiler's tests.
  python tools/real_encoder.py pairs MODEL.onnx
      How many pairs of neighbouring weights of one sign in the dense layers, as int8, exceed 128.
needs: torch, transformers, tokenizers, onnx, onnxruntime, numpy
"""

import importlib
import random
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
TEXTS = 512


class Raw(nn.Module):
    outputs = ["last_hidden_state", "pooler_output"]

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        found = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return found.last_hidden_state, found.pooler_output


class Sentence(nn.Module):
    outputs = ["sentence_embedding"]

    def __init__(self, model):
        super().__init__()
        self.raw = Raw(model)

    def forward(self, input_ids, attention_mask, token_type_ids):
        hidden, _ = self.raw(input_ids, attention_mask, token_type_ids)
        mask = attention_mask.unsqueeze(-1).expand(hidden.size()).float()
        mean = (hidden * mask).sum(1) / torch.clamp(mask.sum(1), min=1e-9)
        return nn.functional.normalize(mean, p=2, dim=1)


def export(model, dynamo, longest, path):
    """Both exporters, with open batch and length."""
    shape = (2, min(16, longest))
    ones = torch.ones(shape, dtype=torch.int64)
    args = (ones * 3, ones, ones * 0)
    if dynamo:
        axes = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("seq", min=2, max=longest)}
        torch.onnx.export(model, args, path, input_names=INPUTS, output_names=model.outputs, dynamo=True,
                          opset_version=18, dynamic_shapes=(axes,) * 3, external_data=False, verbose=False)
    else:
        axes = {name: {0: "batch", 1: "seq"} for name in INPUTS}
        axes |= {name: {0: "batch"} for name in model.outputs}
        if "last_hidden_state" in model.outputs:
            axes["last_hidden_state"][1] = "seq"
        torch.onnx.export(model, args, path, input_names=INPUTS, output_names=model.outputs, dynamic_axes=axes,
                          opset_version=17, dynamo=False)


def exports(make, longest, out):
    for attention in ["eager", "sdpa"]:
        for kind, wrap in [("raw", Raw), ("sentence", Sentence)]:
            for dynamo in [False, True]:
                model = wrap(make(attention)).eval()
                name = f"{kind}-{attention}-{'dynamo' if dynamo else 'torchscript'}.onnx"
                export(model, dynamo, longest, str(out / name))


def strip(path):
    """Drops what only a reader of the exporter's log needs."""
    model = onnx.load(path)
    for part in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output]:
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
        part.doc_string = ""
    del model.graph.value_info[:]
    onnx.save(model, path)


def sentences():
    texts = []
    for name in sorted(sys.stdlib_module_names):
        if name.startswith("_") or name in ("antigravity", "this", "idlelib"):
            continue
        try:
            module = importlib.import_module(name)
        except Exception:
            continue
        members = [module] + [getattr(module, key, None) for key in sorted(dir(module))]
        texts += [m.__doc__ for m in members if isinstance(getattr(m, "__doc__", None), str)]
    root = Path(__file__).resolve().parent.parent
    texts += [path.read_text() for path in sorted(root.glob("docs/**/*.md"))]
    found = set()
    for text in texts:
        for piece in re.split(r"(?<=[.!?])\s+", re.sub(r"\s+", " ", text)):
            if re.fullmatch(r"[A-Z][A-Za-z0-9 ,;:'()\"-]{30,400}[.!?]", piece):
                found.add(piece)
    found = sorted(found)
    random.Random(7).shuffle(found)
    return found


def rows(tokenizer, length):
    found = sentences()
    texts = [" ".join(found[5 * i : 5 * i + 1 + (i % 5 if length > 32 else 0)]) for i in range(TEXTS)]
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length)
    made = tokenizer.encode_batch(texts)
    parts = ([m.ids for m in made], [m.attention_mask for m in made], [m.type_ids for m in made])
    return {name: np.array(part, dtype=np.int64) for name, part in zip(INPUTS, parts)}


def real(source, out):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from tokenizers import Tokenizer
    from transformers import AutoModel

    exports(lambda attention: AutoModel.from_pretrained(source, attn_implementation=attention), 512, out)
    quantize_dynamic(str(out / "sentence-sdpa-torchscript.onnx"), str(out / "dynamic.onnx"), weight_type=QuantType.QInt8)
    for length in [32, 128]:
        tokenizer = Tokenizer.from_file(str(Path(source) / "tokenizer.json"))
        np.savez(out / f"s{length}.npz", **rows(tokenizer, length))


def tiny(out):
    from transformers import BertConfig, BertModel

    def make(attention):
        torch.manual_seed(5)
        return BertModel(BertConfig(vocab_size=24, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                    intermediate_size=16, max_position_embeddings=16, initializer_range=0.2,
                                    attn_implementation=attention))

    exports(make, 16, out)
    for path in out.glob("*.onnx"):
        strip(str(path))


def pairs(path):
    total = over = 0
    for tensor in onnx.load(path).graph.initializer:
        w = onnx.numpy_helper.to_array(tensor)
        if w.ndim != 2 or w.shape[0] % 384 or w.shape[1] % 384:
            continue
        q = np.rint(w / np.abs(w).max(0) * 127).astype(int).reshape(-1, 2, w.shape[1])
        largest = np.maximum(np.maximum(q, 0).sum(1), np.maximum(-q, 0).sum(1))
        total, over = total + largest.size, over + int((largest > 128).sum())
    print(f"{over} of {total} pairs, {100 * over / total:.2f} %")


def main():
    command, *rest = sys.argv[1:]
    if command == "pairs":
        return pairs(rest[0])
    out = Path(rest[-1])
    out.mkdir(parents=True, exist_ok=True)
    return real(rest[0], out) if command == "real" else tiny(out)


if __name__ == "__main__":
    main()
