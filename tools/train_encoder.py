"""Trains a small sentence encoder and writes it as ONNX with its data.

A BERT-type encoder (post-norm, GELU, mean pooling over the mask, length 1) learns to bring
sentences of one meaning together: sentences are drawn from a small grammar in which each meaning
has several wordings. Some channels of its norms are planted as outliers before training, as large
encoders grow them by themselves.

usage: python tools/train_encoder.py OUT_DIR
writes OUT_DIR/encoder.onnx and OUT_DIR/encoder.npz (ids, mask: int64 [rows][32]; test rows last)
needs: torch, onnx, numpy
"""

import math
import random
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEQ, VOCABULARY, HIDDEN, HEADS, LAYERS = 32, 128, 64, 4, 3
OUTLIERS, OUTLIER_SCALE = (7, 29, 52), 12.0
TRAIN_ROWS, TEST_ROWS, STEPS = 256, 256, 900

SUBJECTS = [["the", "old", "captain"], ["a", "young", "nurse"], ["our", "neighbour"], ["the", "city", "council"], ["an", "engineer"], ["her", "brother"], ["the", "red", "fox"], ["every", "student"]]
VERBS = [("repairs", "mends", "fixes"), ("buys", "purchases", "acquires"), ("sees", "notices", "spots"), ("sells", "vends", "trades"), ("loves", "adores", "likes"), ("hides", "conceals", "buries"), ("moves", "shifts", "carries"), ("paints", "colours", "draws")]
OBJECTS = [("boat", "vessel", "ship"), ("house", "home", "dwelling"), ("car", "automobile", "vehicle"), ("letter", "note", "message"), ("garden", "yard", "lawn"), ("coin", "penny", "token"), ("lamp", "light", "lantern"), ("bridge", "crossing", "span")]
PLACES = [["near", "the", "river"], ["at", "night"], ["before", "the", "storm"], ["in", "the", "village"], ["without", "a", "word"], ["for", "his", "friend"], []]
FILLERS = ["indeed", "today", "perhaps", "often", "then", "slowly", "again", "alone"]


def vocabulary():
    words = ["[pad]", "[cls]", "[sep]"]
    groups = [s for s in SUBJECTS + PLACES] + [list(v) for v in VERBS + OBJECTS] + [FILLERS]
    for group in groups:
        words += [word for word in group if word not in words]
    assert len(words) <= VOCABULARY
    return {word: index for index, word in enumerate(words)}


def sentence(rng, meaning):
    subject, verb, thing, place = meaning
    words = SUBJECTS[subject] + [rng.choice(VERBS[verb]), "the", rng.choice(OBJECTS[thing])] + PLACES[place]
    for _ in range(rng.randint(0, 6)):
        words.insert(rng.randint(0, len(words)), rng.choice(FILLERS))
    return words


def encode(words, ids):
    row = [ids["[cls]"]] + [ids[word] for word in words][: SEQ - 2] + [ids["[sep]"]]
    mask = [1] * len(row) + [0] * (SEQ - len(row))
    return row + [0] * (SEQ - len(row)), mask


def meaning(rng):
    return tuple(rng.randrange(len(group)) for group in (SUBJECTS, VERBS, OBJECTS, PLACES))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.up, self.down = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)
        self.ln1, self.ln2 = nn.LayerNorm(HIDDEN, eps=1e-12), nn.LayerNorm(HIDDEN, eps=1e-12)

    def forward(self, x, bias):
        b, s, _ = x.shape
        heads = lambda y: y.reshape(b, s, HEADS, HIDDEN // HEADS).permute(0, 2, 1, 3)
        q, k, v = heads(self.q(x)), heads(self.k(x)), heads(self.v(x))
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(HIDDEN // HEADS) + bias
        y = torch.matmul(torch.softmax(scores, dim=-1), v)
        x = self.ln1(x + self.o(y.permute(0, 2, 1, 3).reshape(b, s, HIDDEN)))
        return self.ln2(x + self.down(F.gelu(self.up(x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.word, self.position = nn.Embedding(VOCABULARY, HIDDEN), nn.Embedding(SEQ, HIDDEN)
        self.ln = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        with torch.no_grad():
            for norm in [self.ln] + [n for layer in self.layers for n in (layer.ln1, layer.ln2)]:
                norm.weight[list(OUTLIERS)] *= OUTLIER_SCALE

    def forward(self, ids, mask):
        m = mask.to(torch.float32)
        bias = (1.0 - m)[:, None, None, :] * -10000.0
        x = self.ln(self.word(ids) + self.position.weight[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x, bias)
        m = m[:, :, None]
        x = (x * m).sum(1) / m.sum(1)
        return x / torch.sqrt((x * x).sum(1, keepdim=True))


def batch(rng, ids, meanings):
    rows = [encode(sentence(rng, m), ids) for m in meanings]
    return tuple(torch.tensor([row[part] for row in rows]) for part in (0, 1))


def train(model, rng, ids):
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.01)
    for step in range(STEPS):
        meanings = [meaning(rng) for _ in range(64)]
        a, b = model(*batch(rng, ids, meanings)), model(*batch(rng, ids, meanings))
        loss = F.cross_entropy(a @ b.T * 20.0, torch.arange(len(meanings)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 0 or step == STEPS - 1:
            print(f"step {step}: loss {loss.item():.4f}", file=sys.stderr)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(11)
    rng = random.Random(11)
    ids = vocabulary()
    model = Encoder()
    train(model, rng, ids)
    model.eval()
    rows = batch(rng, ids, [meaning(rng) for _ in range(TRAIN_ROWS + TEST_ROWS)])
    np.savez_compressed(out / "encoder.npz", ids=rows[0].numpy(), mask=rows[1].numpy(), first_test_row=TRAIN_ROWS)
    axes = {"ids": {0: "batch", 1: "seq"}, "mask": {0: "batch", 1: "seq"}, "embedding": {0: "batch"}}
    torch.onnx.export(model, (rows[0][:1], rows[1][:1]), str(out / "encoder.onnx"), input_names=["ids", "mask"],
                      output_names=["embedding"], dynamic_axes=axes, opset_version=17, dynamo=False)
    with torch.no_grad():
        x = model.word(rows[0][:64]) + model.position.weight[:SEQ]
        x = model.ln(x)
    peak = (x.abs().amax((0, 1)) / x.std((0, 1)).median()).max().item()
    print(f"largest channel of the first norm: {peak:.1f} times the median deviation", file=sys.stderr)


if __name__ == "__main__":
    main()
