"""Exports the text encoders of transformers with random weights in their spellings, and measures how many import and how near they come.

    python tools/text_families.py FOLDER [FAMILY ...]     needs torch, transformers, onnx, onnxscript, numpy

For each family a model of two layers of 32 channels from a fixed seed, with token ids and attention mask as inputs (both int64, batch and
length open): FOLDER/FAMILY-HEAD-ATTENTION-EXPORTER.onnx and .npz, 48 texts of 4 to 16 tokens, padded to 16, two thirds of them for calibration. HEAD is

    hidden   the hidden states of all tokens (of a classifier its logits)
    mean     the mean of those that the mask lets through, scaled to length 1
    first    the state of the first token (of a causal model the last one of the text), scaled to length 1

The archive also has the rows and PyTorch's answers as the example `float_check` reads them. ATTENTION is eager or sdpa, EXPORTER torchscript or dynamo; mean and first are written with sdpa where a family has it. Nothing is downloaded.
Then: cargo run --release -p selfsame-compiler --example breadth FOLDER batch=1 seq=16

docs/text-families.json, and the table that stands in docs/import.md, are made so (families that it holds already are not measured again):

    cargo build --release -p selfsame-compiler --example breadth
    python tools/text_families.py FOLDER --report docs/text-families.json --breadth target/release/examples/breadth

"fixed" is the program at 16 tokens, "open" the one for 2 to 32; "float" is how far the imported graph is from PyTorch, as a part of the largest
answer, if --check names the example `float_check`.

    python tools/text_families.py --table docs/text-families.json

prints the table of these documents.

    python tools/text_families.py FOLDER --tiny

writes the models of crates/compiler/tests/families.rs: one layer of 16 channels.
"""
import argparse
import json
import logging
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers as T
from torch import nn

import archive
import real_encoder

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)
LENGTH, LONGEST, TEXTS, WORDS = 16, 32, 48, 64
NAMES = ["input_ids", "attention_mask"]

SMALL = dict(vocab_size=WORDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, initializer_range=0.15)
BERT = dict(SMALL, max_position_embeddings=48, pad_token_id=0)
ROBERTA = dict(SMALL, max_position_embeddings=50, pad_token_id=1, type_vocab_size=1)
ROTARY = dict(SMALL, num_key_value_heads=2, head_dim=8, max_position_embeddings=48, pad_token_id=0)
CLIP = dict(SMALL, max_position_embeddings=48, pad_token_id=0, bos_token_id=1, eos_token_id=WORDS - 1)
T5 = dict(vocab_size=WORDS, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, relative_attention_num_buckets=8,
          relative_attention_max_distance=20, initializer_factor=0.5, pad_token_id=0)
DEBERTA = dict(BERT, relative_attention=True, pos_att_type=["p2c", "c2p"], max_relative_positions=-1, position_buckets=8,
               share_att_key=True, norm_rel_ebd="layer_norm", type_vocab_size=0)
# family: (configuration, model, arguments). A causal model's text ends at its last token.
FAMILIES = {
    "albert": ("AlbertConfig", "AlbertModel", dict(BERT, embedding_size=16)),
    "bert": ("BertConfig", "BertModel", BERT),
    "bert-classifier": ("BertConfig", "BertForSequenceClassification", dict(BERT, num_labels=5)),
    "bert-generation": ("BertGenerationConfig", "BertGenerationEncoder", BERT),
    "camembert": ("CamembertConfig", "CamembertModel", ROBERTA),
    "clip-text": ("CLIPTextConfig", "CLIPTextModel", CLIP),
    "convbert": ("ConvBertConfig", "ConvBertModel", dict(BERT, embedding_size=32, conv_kernel_size=3, head_ratio=2)),
    "data2vec-text": ("Data2VecTextConfig", "Data2VecTextModel", ROBERTA),
    "deberta": ("DebertaConfig", "DebertaModel", dict(BERT, relative_attention=True, pos_att_type=["p2c", "c2p"], max_relative_positions=24, type_vocab_size=0)),
    "deberta-v2": ("DebertaV2Config", "DebertaV2Model", DEBERTA),
    "deberta-v3": ("DebertaV2Config", "DebertaV2Model", dict(DEBERTA, position_biased_input=False)),
    "distilbert": ("DistilBertConfig", "DistilBertModel", dict(vocab_size=WORDS, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=48, initializer_range=0.15)),
    "electra": ("ElectraConfig", "ElectraModel", dict(BERT, embedding_size=16)),
    "ernie": ("ErnieConfig", "ErnieModel", BERT),
    "esm": ("EsmConfig", "EsmModel", dict(ROBERTA, position_embedding_type="rotary", token_dropout=False, mask_token_id=3)),
    "eurobert": ("EuroBertConfig", "EuroBertModel", dict(ROTARY, mask_token_id=3)),
    "fnet": ("FNetConfig", "FNetModel", dict(BERT, tpu_short_seq_length=LENGTH)),
    "funnel": ("FunnelConfig", "FunnelBaseModel", dict(vocab_size=WORDS, d_model=32, n_head=4, d_head=8, d_inner=64, block_sizes=[1, 1], initializer_range=0.15)),
    "gpt2": ("GPT2Config", "GPT2Model", dict(vocab_size=WORDS, n_embd=32, n_layer=2, n_head=4, n_positions=48, initializer_range=0.15)),
    "jina-v3": ("JinaEmbeddingsV3Config", "JinaEmbeddingsV3Model", dict(BERT, type_vocab_size=1)),
    "megatron-bert": ("MegatronBertConfig", "MegatronBertModel", BERT),
    "mobilebert": ("MobileBertConfig", "MobileBertModel", dict(BERT, embedding_size=16, intra_bottleneck_size=16, num_feedforward_networks=2)),
    "modernbert": ("ModernBertConfig", "ModernBertModel", dict(SMALL, max_position_embeddings=48, pad_token_id=0, initializer_cutoff_factor=2.0, local_attention=8, global_attn_every_n_layers=2)),
    "mpnet": ("MPNetConfig", "MPNetModel", dict(SMALL, max_position_embeddings=50, pad_token_id=1)),
    "mt5-encoder": ("MT5Config", "MT5EncoderModel", dict(T5, feed_forward_proj="gated-gelu")),
    "nomic-bert": ("NomicBertConfig", "NomicBertModel", dict(BERT, head_dim=8, type_vocab_size=2)),
    "qwen3": ("Qwen3Config", "Qwen3Model", ROTARY),
    "rembert": ("RemBertConfig", "RemBertModel", dict(BERT, input_embedding_size=16)),
    "roberta": ("RobertaConfig", "RobertaModel", ROBERTA),
    "roberta-classifier": ("RobertaConfig", "RobertaForSequenceClassification", dict(ROBERTA, num_labels=5)),
    "roformer": ("RoFormerConfig", "RoFormerModel", dict(BERT, embedding_size=32)),
    "siglip-text": ("SiglipTextConfig", "SiglipTextModel", dict(SMALL, max_position_embeddings=48, pad_token_id=0)),
    "splinter": ("SplinterConfig", "SplinterModel", BERT),
    "squeezebert": ("SqueezeBertConfig", "SqueezeBertModel", dict(BERT, embedding_size=32)),
    "t5-encoder": ("T5Config", "T5EncoderModel", T5),
    "umt5-encoder": ("UMT5Config", "UMT5EncoderModel", dict(T5, feed_forward_proj="gated-gelu")),
    "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaModel", ROBERTA),
}
SMALLER = dict(vocab_size=24, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, d_model=16, d_ff=16, num_layers=1, num_heads=2,
               num_key_value_heads=1)
TINY = {
    "deberta-v3": ("hidden", "eager", "dynamo"),
    "mpnet": ("hidden", "eager", "dynamo"),
    "qwen3": ("first", "sdpa", "torchscript"),
    "roberta": ("hidden", "sdpa", "dynamo"),
    "t5-encoder": ("mean", "sdpa", "torchscript"),
}
CAUSAL = {"clip-text", "gpt2", "qwen3"}
WITHOUT_HEAD = {"bert-classifier", "funnel", "roberta-classifier"}  # no state of each token
SPELLINGS = [("hidden", attention, exporter) for attention in ("eager", "sdpa") for exporter in ("torchscript", "dynamo")]
SPELLINGS += [(head, "sdpa", "torchscript") for head in ("mean", "first")]


class Headed(nn.Module):
    """A model from token ids and mask to one answer."""

    def __init__(self, model, head, causal):
        super().__init__()
        self.model, self.head, self.causal = model, head, causal

    def forward(self, input_ids, attention_mask):
        found = self.model(input_ids=input_ids, attention_mask=attention_mask)
        hidden = found.logits if hasattr(found, "logits") else found.last_hidden_state
        if self.head == "hidden":
            return hidden
        if self.head == "first":
            # A causal model's embedding is that of the last token; the mask says which that is.
            ahead = torch.nn.functional.pad(attention_mask, (0, 1))[:, 1:]
            picked = (attention_mask - ahead).unsqueeze(-1) * hidden
            return nn.functional.normalize(picked.sum(1) if self.causal else hidden[:, 0], dim=-1)
        mask = attention_mask.unsqueeze(-1).expand(hidden.size()).float()
        mean = (hidden * mask).sum(1) / torch.clamp(mask.sum(1), min=1e-9)
        return nn.functional.normalize(mean, p=2, dim=1)


def model(family, head, attention, tiny):
    """The model, or None where the family has no such attention; and its configuration."""
    configuration, architecture, arguments = FAMILIES[family]
    if tiny:
        arguments = {key: SMALLER.get(key, value) for key, value in arguments.items()}
    config = getattr(T, configuration)(**arguments)
    config.use_cache = False
    config._attn_implementation = attention
    torch.manual_seed(3)
    try:
        net = getattr(T, architecture)(config)
    except ValueError as error:
        if attention == "sdpa" and "scaled_dot_product" in str(error):
            return None, config
        raise
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
            elif "relative_attention_bias" in name:
                parameter.normal_(0, 1)
    return Headed(net, head, family in CAUSAL).eval(), config


def texts(family, config):
    generator = np.random.default_rng(5)
    lengths = generator.integers(4, LENGTH + 1, size=TEXTS)
    mask = (np.arange(LENGTH)[None] < lengths[:, None]).astype(np.int64)
    ids = generator.integers(4, config.vocab_size - 2, size=(TEXTS, LENGTH)) * mask
    ids += (1 - mask) * (config.pad_token_id or 0)
    if family == "clip-text":
        ids[np.arange(TEXTS), lengths - 1] = config.eos_token_id
    return dict(zip(NAMES, (ids, mask)))


def export(family, spelling, folder, tiny=False):
    """Writes model and texts; whether the family has this attention and head."""
    head, attention, exporter = spelling
    if head != "hidden" and family in WITHOUT_HEAD:
        return False
    net, config = model(family, head, attention, tiny)
    if net is None and head != "hidden":
        net, config = model(family, head, "eager", tiny)
    if net is None:
        return False
    rows = {name: part[: TEXTS // 2 if tiny else TEXTS] for name, part in texts(family, config).items()}
    path = folder / f"{family}-{head}-{attention}-{exporter}.onnx"
    arguments = tuple(torch.tensor(rows[name][:2]) for name in NAMES)
    options = dict(input_names=NAMES, output_names=["y"])
    if exporter == "dynamo":
        axes = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("seq", min=2, max=LONGEST)}
        torch.onnx.export(net, arguments, str(path), dynamo=True, opset_version=18, dynamic_shapes=(axes, axes),
                          external_data=False, verbose=False, **options)
    else:
        axes = {name: {0: "batch", 1: "seq"} for name in NAMES}
        torch.onnx.export(net, arguments, str(path), dynamo=False, opset_version=17, dynamic_axes=axes, **options)
    with torch.no_grad():
        answers = net(*(torch.tensor(rows[name]) for name in NAMES)).numpy()
    if tiny:
        real_encoder.strip(str(path))
        archive.write(path.with_suffix(".npz"), [*rows.items(), ("y", answers)])
    else:
        x = np.concatenate([rows[name] for name in NAMES], 1).astype(np.float32)
        np.savez(path.with_suffix(".npz"), **rows, x=x, y=answers)
    return True


def imported(breadth, folder, length):
    found = subprocess.run([breadth, str(folder), "batch=1", f"seq={length}", "--json"], capture_output=True, text=True)
    line = json.loads(found.stdout) if found.returncode == 0 else {"refused": found.stderr.strip() or str(found.returncode)}
    return {key: line[key] for key in ("snr_db", "nodes", "refused") if key in line}


def difference(check, folder):
    """How far the float graph is from PyTorch's answers."""
    found = subprocess.run([check, str(folder), "--dim", "batch=1", "--dim", f"seq={LENGTH}"], capture_output=True, text=True)
    parts = re.search(r"(\S+) of ([^;]+);", found.stdout)
    return {"float": float(f"{float(parts[1]) / float(parts[2]):.1e}")} if parts else {}


def measured(family, spelling, folder, breadth, check):
    """One spelling: how it imports at one length and at all of them. None where the family has no such attention or head."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        if not export(family, spelling, folder):
            return None
    except Exception as error:  # noqa: BLE001, what PyTorch cannot export is a line of the report
        return {"not_exported": f"{type(error).__name__}: {str(error).split('. ')[0].splitlines()[0][:160]}"}
    line = {"fixed": imported(breadth, folder, LENGTH), "open": imported(breadth, folder, f"{LENGTH}..{LONGEST}")}
    return line | (difference(check, folder) if check else {})


def cell(line, kind):
    """One measurement: decibels, or what came instead of them; nothing where the family has no such spelling."""
    if line is None:
        return ""
    if "not_exported" in line:
        return "not exported"
    return f"{line[kind]['snr_db']:.1f}" if "snr_db" in line[kind] else "refused"


def table(families):
    """The table of docs/import.md, a line for each family; both exporters in one cell."""
    yield "| family | eager | sdpa | mean | first token | length open |"
    yield "|---" * 6 + "|"
    for family, lines in families.items():
        both = [[cell(lines.get(f"hidden-{attention}-{exporter}"), "fixed") for exporter in ("torchscript", "dynamo")] for attention in ("eager", "sdpa")]
        cells = [" / ".join(dict.fromkeys(pair)) for pair in both]
        cells += [cell(lines.get(f"{head}-sdpa-torchscript"), "fixed") for head in ("mean", "first")]
        opened = {"snr_db" in line["open"] for line in lines.values() if "open" in line}
        length = "in part" if len(opened) > 1 else "yes" if opened == {True} else "no"
        yield "| " + " | ".join([family, *cells, length]) + " |"


def report(arguments):
    path = Path(arguments.report)
    families = json.loads(path.read_text())["families"] if path.exists() else {}
    for family in arguments.names or FAMILIES:
        if family in families and not arguments.names:
            continue
        found = {"-".join(spelling): measured(family, spelling, Path(arguments.folder) / family, arguments.breadth, arguments.check) for spelling in SPELLINGS}
        families[family] = {name: line for name, line in found.items() if line is not None}
        for name, line in families[family].items():
            print(family, name, line, flush=True)
        written = {"torch": torch.__version__, "transformers": T.__version__, "families": dict(sorted(families.items()))}
        path.write_text(json.dumps(written, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--report")
    parser.add_argument("--breadth")
    parser.add_argument("--check")
    parser.add_argument("--table")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        return print("\n".join(table(json.loads(Path(arguments.table).read_text())["families"])))
    if arguments.report:
        return report(arguments)
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for family in arguments.names or (TINY if arguments.tiny else FAMILIES):
        for spelling in [TINY[family]] if arguments.tiny else SPELLINGS:
            try:
                print(family, *spelling, export(family, spelling, folder, arguments.tiny), flush=True)
            except Exception as error:  # noqa: BLE001, one that PyTorch cannot export hides no other
                print(family, *spelling, "not exported:", type(error).__name__, str(error).splitlines()[0][:200], flush=True)


if __name__ == "__main__":
    main()
