"""Writes small models of the operators and spellings of the float graph with the answers of ONNX Runtime.

    python tools/float_cases.py        needs numpy, onnx, onnxruntime, onnxscript, torch; run in the repository root

crates/compiler/tests/data/float.npz, for each case: NAME.model uint8 (the ONNX file), NAME.x float32 [samples][all inputs behind one another],
NAME.y float32 (the first output). The compiler's tests hold its float interpretation and its fusion to these numbers. Fixed seed.
"""
import io
import logging
import warnings

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

import archive

SAMPLES = 2
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
ort.set_default_logger_severity(3)
rng = np.random.default_rng(11)
torch.manual_seed(11)
cases = {}
I64 = lambda *v: np.array(v, np.int64)


def weights(*shape, scale=0.5):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def answer(name, model, make):
    blob = model.SerializeToString()
    session = ort.InferenceSession(blob, providers=["CPUExecutionProvider"])
    rows, answers = [], []
    for _ in range(SAMPLES):
        feeds = make()
        rows.append(np.concatenate([feeds[i.name].astype(np.float32).ravel() for i in session.get_inputs()]))
        answers.append(np.asarray(session.run(None, feeds)[0], np.float32).ravel())
    cases[f"{name}.model"] = np.frombuffer(blob, np.uint8)
    cases[f"{name}.x"], cases[f"{name}.y"] = np.stack(rows), np.stack(answers)


def case(name, inputs, nodes, constants=None, opset=17, positive=False):
    """inputs: name -> shape behind the batch; nodes: (op, inputs, output or outputs, attributes); the last output is the answer."""
    made = [helper.make_node(op, i, o if isinstance(o, list) else [o], name=f"{name}_{k}", **a) for k, (op, i, o, a) in enumerate(nodes)]
    init = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(
        made, name, [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["batch", *v]) for k, v in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], init)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=9)
    draw = lambda s: np.abs(rng.standard_normal((1, *s))).astype(np.float32) + np.float32(0.1) if positive else rng.standard_normal((1, *s)).astype(np.float32)
    answer(name, model, lambda: {k: draw(v) for k, v in inputs.items()})


X = {"x": [3, 4]}
# Functions.
for op in ("Sin", "Cos", "Atan", "Floor", "Ceil", "Round", "Sign", "Sinh", "Cosh", "Asinh", "Softplus"):
    case(f"fn_{op.lower()}", X, [(op, ["x"], "y", {})])
for op in ("Sqrt", "Reciprocal", "Log"):
    case(f"fn_{op.lower()}", X, [(op, ["x"], "y", {})], positive=True)
case("fn_tan_asin", X, [("Tanh", ["x"], "t", {}), ("Asin", ["t"], "a", {}), ("Acos", ["t"], "b", {}), ("Atanh", ["t"], "c", {}), ("Sum", ["a", "b", "c"], "y", {})])
case("fn_thresholded", X, [("ThresholdedRelu", ["x"], "y", {"alpha": 0.5})])
case("fn_shrink", X, [("Shrink", ["x"], "y", {"lambd": 0.4, "bias": 0.2})])
for name, power in (("root", 0.5), ("inverse", -1.0), ("square", 2.0), ("cube", 3.0), ("real", 1.7)):
    case(f"pow_{name}", X, [("Pow", ["x", "p"], "y", {})], {"p": np.float32(power)}, positive=True)
case("pow_of_constant", X, [("Pow", ["p", "x"], "y", {})], {"p": np.float32(1.5)})
case("prelu_channels", {"x": [3, 4, 4]}, [("PRelu", ["x", "s"], "y", {})], {"s": weights(3, 1, 1)})
# Pairs.
two = {"x": [3, 4], "z": [3, 4]}
for op in ("Add", "Sub", "Mul", "Max", "Min"):
    case(f"pair_{op.lower()}_full", two, [(op, ["x", "z"], "y", {})])
    case(f"pair_{op.lower()}_row", {"x": [2, 3, 4], "z": [1, 1, 4]}, [(op, ["z", "x"], "y", {})])
case("pair_both_spread", {"x": [3, 1], "z": [1, 4]}, [("Mul", ["x", "z"], "y", {})])
case("pair_div", two, [("Div", ["x", "z"], "y", {})], positive=True)
case("pair_constant_matrix", X, [("Add", ["x", "c"], "a", {}), ("Sub", ["c", "a"], "b", {}), ("Mul", ["b", "c"], "y", {})], {"c": weights(3, 4)})
case("pair_mean", two, [("Mean", ["x", "z", "x"], "y", {})])
case("constant_over_division", X, [("Div", ["c", "x"], "y", {})], {"c": weights(4)}, positive=True)
case("where_less", two, [("Less", ["x", "z"], "c", {}), ("Where", ["c", "x", "z"], "y", {})])
case("where_greater_equal", two, [("GreaterOrEqual", ["x", "z"], "c", {}), ("Not", ["c"], "n", {}), ("And", ["c", "n"], "a", {}), ("Or", ["a", "c"], "o", {}), ("Where", ["o", "k", "z"], "y", {})], {"k": np.float32(-2)})
case("is_nan", X, [("Softmax", ["x"], "s", {}), ("IsNaN", ["s"], "n", {}), ("Where", ["n", "zero", "s"], "y", {})], {"zero": np.float32(0)})
case("mod_float", two, [("Mod", ["x", "z"], "y", {"fmod": 1})], positive=True)
# Matrices.
case("product", {"x": [3, 4], "z": [4, 5]}, [("MatMul", ["x", "z"], "y", {})])
case("product_heads", {"x": [2, 3, 4], "z": [2, 4, 5]}, [("MatMul", ["x", "z"], "y", {})])
case("product_group", {"x": [2, 3, 3, 4], "z": [2, 1, 4, 5]}, [("MatMul", ["x", "z"], "y", {})])
case("product_shared", {"x": [2, 3, 4], "z": [1, 4, 5]}, [("MatMul", ["x", "z"], "y", {})])
case("product_first_spread", {"x": [1, 3, 4], "z": [2, 4, 5]}, [("MatMul", ["x", "z"], "y", {})])
case("product_constant_left", {"x": [4, 5]}, [("MatMul", ["c", "x"], "y", {})], {"c": weights(3, 4)})
case("product_constant_heads", {"x": [2, 3, 4]}, [("MatMul", ["x", "c"], "y", {})], {"c": weights(2, 4, 5)})
case("product_vector", {"x": [3, 4]}, [("MatMul", ["x", "c"], "y", {})], {"c": weights(4)})
for name, equation, a, b in (("attention", "bhqd,bhkd->bhqk", [2, 3, 4], [2, 5, 4]), ("values", "bhqk,bkhd->bqhd", [2, 3, 5], [5, 2, 4]), ("outer", "bi,bj->bij", [3], [4])):
    case(f"einsum_{name}", {"x": a, "z": b}, [("Einsum", ["x", "z"], "y", {"equation": equation})])
case("einsum_dense", {"x": [3, 2, 4]}, [("Einsum", ["x", "w"], "y", {"equation": "bthd,hde->bte"})], {"w": weights(2, 4, 6)})
case("einsum_turned", {"x": [3, 4]}, [("Einsum", ["x"], "y", {"equation": "bij->bji"})])
# Rows.
for axis in (-1, 1, 2):
    case(f"softmax_{axis % 4}", {"x": [2, 3, 4]}, [("Softmax", ["x"], "y", {"axis": axis})])
case("softmax_11", {"x": [2, 3, 4]}, [("Softmax", ["x"], "y", {"axis": 2})], opset=11)
case("softmax_spelled", X, [("ReduceMax", ["x"], "m", {"axes": [-1]}), ("Sub", ["x", "m"], "d", {}), ("Exp", ["d"], "e", {}), ("ReduceSum", ["e", "a"], "s", {}), ("Div", ["e", "s"], "y", {})], {"a": I64(-1)})
case("layer_norm", X, [("LayerNormalization", ["x", "s", "b"], "y", {"epsilon": 1e-3})], {"s": weights(4), "b": weights(4)})
case("layer_norm_two_axes", {"x": [2, 3, 4]}, [("LayerNormalization", ["x", "s", "b"], "y", {"axis": 2})], {"s": weights(3, 4), "b": weights(3, 4)})
spelled = [("ReduceMean", ["x"], "m", {"axes": [-1]}), ("Sub", ["x", "m"], "d", {}), ("Pow", ["d", "two"], "q", {}), ("ReduceMean", ["q"], "v", {"axes": [-1]}), ("Add", ["v", "eps"], "e", {}), ("Sqrt", ["e"], "r", {})]
case("layer_norm_spelled", X, [*spelled, ("Div", ["d", "r"], "n", {}), ("Mul", ["n", "s"], "t", {}), ("Add", ["t", "b"], "y", {})], {"two": np.float32(2), "eps": np.float32(1e-5), "s": weights(4), "b": weights(4)})
case("rms_norm_spelled", X, [("Mul", ["x", "x"], "q", {}), ("ReduceMean", ["q"], "v", {"axes": [-1]}), ("Add", ["v", "eps"], "e", {}), ("Sqrt", ["e"], "r", {}), ("Reciprocal", ["r"], "i", {}), ("Mul", ["x", "i"], "n", {}), ("Mul", ["s", "n"], "y", {})], {"eps": np.float32(1e-5), "s": weights(4)})
case("l2_spelled", X, [("ReduceL2", ["x"], "n", {"axes": [-1]}), ("Clip", ["n", "lo"], "c", {}), ("Expand", ["c", "to"], "w", {}), ("Div", ["x", "w"], "y", {})], {"lo": np.float32(1e-12), "to": I64(1, 3, 4)})
case("lp_norm", X, [("LpNormalization", ["x"], "a", {"axis": 1, "p": 1}), ("LpNormalization", ["a"], "y", {"axis": 2})])
case("instance_norm", {"x": [3, 4, 5]}, [("InstanceNormalization", ["x", "s", "b"], "y", {})], {"s": weights(3), "b": weights(3)})
case("group_norm", {"x": [4, 3, 3]}, [("GroupNormalization", ["x", "s", "b"], "y", {"num_groups": 2})], {"s": weights(4), "b": weights(4)}, opset=21)
for op in ("Mean", "Sum", "Max", "Min", "SumSquare", "L1", "L2", "LogSumExp"):
    case(f"reduce_{op.lower()}_rows", X, [(f"Reduce{op}", ["x"] if op != "Sum" else ["x", "a"], "y", {"keepdims": 0} | ({} if op == "Sum" else {"axes": [2]}))], {"a": I64(2)} if op == "Sum" else {})
    case(f"reduce_{op.lower()}_outer", {"x": [2, 3, 2, 3]}, [(f"Reduce{op}", ["x"] if op != "Sum" else ["x", "a"], "y", {} if op == "Sum" else {"axes": [1, 3]})], {"a": I64(1, 3)} if op == "Sum" else {})
for op in ("ArgMax", "ArgMin"):
    case(f"{op.lower()}", {"x": [3, 5]}, [(op, ["x"], "i", {"axis": 1, "keepdims": 0}), ("Cast", ["i"], "y", {"to": 1})])
case("cumsum", {"x": [5, 3]}, [("CumSum", ["x", "a"], "y", {"reverse": 1})], {"a": np.int64(1)})
case("trilu", {"x": [4, 4]}, [("Trilu", ["x", "k"], "y", {"upper": 0})], {"k": np.int64(1)})
# Moves.
for mode in ("reflect", "edge", "wrap"):
    case(f"pad_{mode}", {"x": [2, 4, 5]}, [("Pad", ["x", "p"], "y", {"mode": mode})], {"p": I64(0, 0, 2, 1, 0, 0, 1, 2)}, opset=19)
case("tile", {"x": [2, 1, 3]}, [("Tile", ["x", "r"], "y", {})], {"r": I64(1, 2, 3, 1)})
case("gather_any", {"x": [6, 3]}, [("Gather", ["x", "i"], "y", {"axis": 1})], {"i": np.array([[0, 5], [2, 2], [3, 1]], np.int64)})
case("transposed_line", {"x": [3, 6]}, [("ConvTranspose", ["x", "w"], "y", {"strides": [2]})], {"w": weights(3, 2, 4)})
for mode in ("linear", "cubic"):
    for coordinates in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
        case(f"resize_{mode}_{coordinates}", {"x": [2, 4, 5]}, [("Resize", ["x", "", "s"], "y", {"mode": mode, "coordinate_transformation_mode": coordinates})], {"s": np.float32([1, 1, 2, 3])})
case("resize_down", {"x": [2, 8, 6]}, [("Resize", ["x", "", "", "s"], "y", {"mode": "linear"})], {"s": I64(1, 2, 5, 4)})
for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
    case(f"resize_nearest_{rounding}", {"x": [2, 6, 5]}, [("Resize", ["x", "", "", "s"], "y", {"nearest_mode": rounding, "coordinate_transformation_mode": "half_pixel"})], {"s": I64(1, 2, 9, 7)})
# Quantised.
q = {"s": np.float32(0.02), "z": np.uint8(128), "w": rng.integers(-127, 128, (4, 6)).astype(np.int8), "ws": rng.uniform(0.01, 0.02, 6).astype(np.float32), "wz": np.zeros(6, np.int8)}
case("rounded_qdq_dense", X, [("QuantizeLinear", ["x", "s", "z"], "xq", {}), ("DequantizeLinear", ["xq", "s", "z"], "xd", {}), ("DequantizeLinear", ["w", "ws", "wz"], "wd", {"axis": 1}), ("MatMul", ["xd", "wd"], "y", {})], q | {"s": np.float32(0.0002), "z": np.uint16(32768)}, opset=21)
case("rounded_dynamic_dense", X, [("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"], {}), ("MatMulInteger", ["xq", "w", "xz", "wz"], "i", {}), ("Cast", ["i"], "f", {"to": 1}), ("Mul", ["xs", "ws"], "fs", {}), ("Mul", ["f", "fs"], "y", {})], q)
# Recurrent: ONNX operators on [steps][batch][inputs].
for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
        c = {"w": weights(count, gates * 3, 4), "r": weights(count, gates * 3, 3), "b": weights(count, gates * 6)}
        a = {"hidden_size": 3, "direction": direction} | ({"linear_before_reset": int(direction != "forward")} if op == "GRU" else {})
        case(f"{op.lower()}_{direction}", {"x": [5, 4]}, [("Transpose", ["x"], "t", {"perm": [1, 0, 2]}), (op, ["t", "w", "r", "b"], "y4", a), ("Squeeze", ["y4", "one"], "s", {}), ("Transpose", ["s"], "y", {"perm": [1, 0, 2]})] if count == 1 else [("Transpose", ["x"], "t", {"perm": [1, 0, 2]}), (op, ["t", "w", "r", "b"], "y4", a), ("Transpose", ["y4"], "y", {"perm": [2, 0, 1, 3]})], c | {"one": I64(1)})


# What PyTorch writes, by both exporters.
class Block(nn.Module):
    def __init__(self, width, heads, mask):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.heads, self.mask = heads, mask

    def forward(self, x, mask):
        b, t, w = x.shape
        q, k, v = (s.reshape(b, t, self.heads, -1).transpose(1, 2) for s in self.qkv(self.n1(x)).chunk(3, -1))
        if self.mask == "bool":
            m = mask[:, None, None, :].bool()
        elif self.mask == "causal":
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            m = (1.0 - mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        if self.mask != "causal":
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=m)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, w))
        return x + self.down(F.gelu(self.up(self.n2(x))))


class Encoder(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.token, self.place = nn.Embedding(50, 8), nn.Embedding(16, 8)
        self.block, self.head = Block(8, 2, mask), nn.Linear(8, 3)

    def forward(self, ids, mask):
        x = self.token(ids) + self.place(torch.arange(ids.shape[1], device=ids.device))[None]
        x = self.block(x, mask)
        m = mask[:, :, None].to(x.dtype)
        return self.head((x * m).sum(1) / m.sum(1).clamp(min=1e-9))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.head = kind(4, 6, num_layers=2, bidirectional=True, batch_first=True), nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Windows(nn.Module):
    """Attention in windows of a picture, as Swin cuts and joins them."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8)
        self.qkv, self.o, self.head = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 3)
        self.bias = nn.Parameter(torch.randn(2, 4, 4))

    def forward(self, x):
        x = self.embed(x).permute(0, 2, 3, 1)
        b, h, w, c = x.shape
        y = torch.roll(self.norm(x), shifts=(-1, -1), dims=(1, 2))
        y = y.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b * (h // 2) * (w // 2), 4, c)
        q, k, v = self.qkv(y).reshape(y.shape[0], 4, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        a = torch.softmax((q * 0.5) @ k.transpose(-2, -1) + self.bias[None], -1) @ v
        y = self.o(a.transpose(1, 2).reshape(-1, 4, c))
        y = y.view(b, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return self.head((x + torch.roll(y, shifts=(1, 1), dims=(1, 2))).mean((1, 2)))


class Convs(nn.Module):
    """A block of ConvNeXt, with a norm over channels and a scale per channel."""

    def __init__(self):
        super().__init__()
        self.stem, self.depth, self.norm = nn.Conv2d(3, 8, 2, 2), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.LayerNorm(8, eps=1e-6)
        self.up, self.down, self.scale, self.head = nn.Linear(8, 16), nn.Linear(16, 8), nn.Parameter(torch.rand(8, 1, 1)), nn.Linear(8, 3)

    def forward(self, x):
        x = self.stem(x)
        y = self.down(F.gelu(self.up(self.norm(self.depth(x).permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)
        return self.head((x + self.scale * y).mean((2, 3)))


class SelfAttention(nn.Module):
    """PyTorch's own layer, which merges the batch with the heads."""

    def __init__(self):
        super().__init__()
        self.layer = nn.MultiheadAttention(8, 2)

    def forward(self, x):
        x = x.transpose(0, 1)
        return self.layer(x, x, x, need_weights=True)[0].transpose(0, 1)


def exported(name, module, example, make, dims=None):
    module.eval()
    for exporter in ("torchscript", "dynamo"):
        buffer = io.BytesIO()
        names = ["ids", "mask"] if len(example) == 2 else ["x"]
        if exporter == "dynamo":
            batch = torch.export.Dim("batch", min=1, max=64)
            program = torch.onnx.export(module, example, dynamo=True, input_names=names, output_names=["y"], dynamic_shapes=tuple({0: batch} for _ in names), external_data=False, verbose=False)
            model = program.model_proto
        else:
            torch.onnx.export(module, example, buffer, dynamo=False, input_names=names, output_names=["y"], opset_version=17, dynamic_axes={n: {0: "batch"} for n in names})
            model = onnx.load_from_string(buffer.getvalue())
        model = onnx.ModelProto.FromString(model.SerializeToString())
        del model.metadata_props[:]
        for thing in [*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer, model.graph]:
            thing.doc_string = ""
            del thing.metadata_props[:]
        del model.graph.value_info[:]
        del model.functions[:]
        answer(f"{name}_{exporter}", model, make)


def tokens():
    mask = np.ones((1, 6), np.int64)
    mask[0, rng.integers(3, 6) :] = 0
    return {"ids": rng.integers(0, 50, (1, 6)), "mask": mask}


ids = (torch.randint(0, 50, (2, 6)), torch.ones(2, 6, dtype=torch.int64))
for mask in ("bool", "causal", "additive"):
    exported(f"encoder_{mask}", Encoder(mask), ids, tokens)
picture = lambda: {"x": rng.standard_normal((1, 3, 8, 8)).astype(np.float32)}
exported("windows", Windows(), (torch.randn(2, 3, 8, 8),), picture)
exported("convs", Convs(), (torch.randn(2, 3, 8, 8),), picture)
steps = lambda: {"x": rng.standard_normal((1, 5, 4)).astype(np.float32)}
for kind in (nn.LSTM, nn.GRU):
    exported(f"recurrent_{kind.__name__.lower()}", Recurrent(kind), (torch.randn(2, 5, 4),), steps)
exported("attention_layer", SelfAttention(), (torch.randn(2, 5, 8),), lambda: {"x": rng.standard_normal((1, 5, 8)).astype(np.float32)})

# What follows was added later: the numbers drawn above stay as they were.
# Logarithms of softmax, losses, one-hot rows, products.
for axis in (1, 3):
    case(f"log_softmax_{axis}", {"x": [3, 2, 4]}, [("LogSoftmax", ["x"], "y", {"axis": axis})])
case("log_softmax_11", {"x": [2, 3, 4]}, [("LogSoftmax", ["x"], "y", {"axis": 2})], opset=11)
case("hard_max", {"x": [3, 5]}, [("Hardmax", ["x"], "y", {})])
case("one_hot", {"x": [3, 5]}, [("ArgMax", ["x"], "i", {"axis": 2, "keepdims": 0}), ("OneHot", ["i", "d", "v"], "y", {"axis": 1})], {"d": np.int64(5), "v": np.float32([0.5, 2])})
case("reduce_prod_rows", {"x": [3, 5]}, [("ReduceProd", ["x"], "y", {"axes": [2]})], positive=True)
case("reduce_prod_outer", {"x": [2, 3, 4]}, [("ReduceProd", ["x"], "y", {"axes": [1, 3], "keepdims": 0})], positive=True)
case("mvn", {"x": [3, 4, 5]}, [("MeanVarianceNormalization", ["x"], "y", {"axes": [2, 3]})])
case("pow_several", X, [("Pow", ["x", "p"], "a", {}), ("ReduceMean", ["a"], "y", {"axes": [2]})], {"p": np.float32(1.5)}, positive=True)
# Pools over three axes and with gaps, LpPool, LRN.
volume = {"x": [2, 6, 7, 8]}
case("max_pool_volume", volume, [("MaxPool", ["x"], "y", {"kernel_shape": [2, 3, 3], "strides": [2, 2, 1], "pads": [0, 1, 1, 1, 1, 1]})])
case("average_pool_volume", volume, [("AveragePool", ["x"], "y", {"kernel_shape": [3, 2, 3], "strides": [1, 2, 2], "pads": [1, 0, 1, 1, 0, 1], "ceil_mode": 1})])
case("average_pool_volume_counted", volume, [("AveragePool", ["x"], "y", {"kernel_shape": [3, 2, 3], "pads": [1, 0, 1, 1, 1, 1], "count_include_pad": 1})])
image = {"x": [3, 9, 11]}
case("max_pool_gaps", image, [("MaxPool", ["x"], "y", {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [2, 1, 1, 1], "strides": [1, 2]})])
case("max_pool_gaps_ceil", image, [("MaxPool", ["x"], "y", {"kernel_shape": [2, 3], "dilations": [3, 2], "strides": [2, 3], "ceil_mode": 1})])
case("max_pool_gaps_line", {"x": [3, 12]}, [("MaxPool", ["x"], "y", {"kernel_shape": [3], "dilations": [2], "pads": [2, 2]})])
case("average_pool_gaps", image, [("AveragePool", ["x"], "y", {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 1, 1, 1]})], opset=19)
case("max_pool_same", {"x": [2, 7, 6, 5]}, [("MaxPool", ["x"], "y", {"kernel_shape": [3, 3, 2], "strides": [2, 2, 2], "auto_pad": "SAME_UPPER"})])
for p in (1, 2, 3):
    case(f"lp_pool_{p}", image, [("LpPool", ["x"], "y", {"kernel_shape": [3, 2], "strides": [2, 2], "p": p, "pads": [1, 0, 1, 0]})])
for size in (3, 5):
    case(f"lrn_{size}", {"x": [6, 3, 4]}, [("LRN", ["x"], "y", {"size": size, "alpha": 0.5, "beta": 0.75, "bias": 1.5})])
# Elements picked and placed by constants; samples stay apart where the axis is not the batch's.
case("compress", {"x": [5, 3]}, [("Compress", ["x", "c"], "y", {"axis": 1})], {"c": np.array([1, 0, 1, 1, 0], bool)})
case("center_crop_pad", {"x": [6, 5]}, [("CenterCropPad", ["x", "s"], "y", {"axes": [1, 2]})], {"s": I64(3, 8)}, opset=18)


def whole(name, inputs, nodes, constants=None, opset=17):
    """A file without a batch: the leading axis is 1, or the sample is all there is."""
    made = [helper.make_node(op, i, o if isinstance(o, list) else [o], name=f"{name}_{k}", **a) for k, (op, i, o, a) in enumerate(nodes)]
    init = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(made, name, [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], init)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    answer(name, model, lambda: {k: rng.standard_normal(v).astype(np.float32) for k, v in inputs.items()})


table = {"x": [4, 5]}
for axis in (0, 1):
    case_indices = rng.integers(0, 4, (3, 4))
    whole(f"whole_gather_elements_{axis}", table, [("GatherElements", ["x", "i"], "y", {"axis": axis})], {"i": case_indices})
    whole(f"whole_scatter_elements_{axis}", table, [("ScatterElements", ["x", "i", "u"], "y", {"axis": axis})], {"i": np.stack([rng.permutation(4)[:2] for _ in range(3)], 1 - axis), "u": weights(*((2, 3) if axis == 0 else (3, 2)))})
whole("whole_gather_nd", table, [("GatherND", ["x", "i"], "y", {})], {"i": np.array([[3, 1], [0, 0], [1, 4]], np.int64)})
whole("whole_gather_nd_rows", {"x": [2, 4, 3]}, [("GatherND", ["x", "i"], "y", {"batch_dims": 1})], {"i": np.array([[[3], [0]], [[1], [1]]], np.int64)})
for reduction in ("none", "add", "mul", "max", "min"):
    whole(f"whole_scatter_nd_{reduction}", table, [("ScatterND", ["x", "i", "u"], "y", {"reduction": reduction})], {"i": np.array([[3], [1]], np.int64), "u": weights(2, 5)}, opset=18)
whole("whole_scatter_elements_twice", table, [("ScatterElements", ["x", "i", "u"], "y", {"reduction": "add"})], {"i": np.array([[1, 1, 2, 0, 3], [1, 0, 2, 0, 1]], np.int64), "u": weights(2, 5)}, opset=18)
whole("whole_reverse_sequence", {"x": [4, 3, 2]}, [("ReverseSequence", ["x", "l"], "y", {"time_axis": 0, "batch_axis": 1})], {"l": I64(4, 1, 3)})
whole("whole_compress_list", table, [("Compress", ["x", "c"], "y", {})], {"c": np.array([0, 1, 0, 0, 1, 1, 0, 0, 1], bool)})
whole("whole_pow_differs", table, [("Abs", ["x"], "a", {}), ("Pow", ["a", "p"], "y", {})], {"p": np.float32([1, 2, 0.5, 2, 3])})
whole("whole_input_itself", table, [("Identity", ["x"], "y", {})])
whole("whole_mean_of_all", table, [("ReduceMean", ["x"], "y", {"keepdims": 0})])
# Losses of constant targets.
for reduction in ("mean", "sum", "none"):
    whole(f"whole_cross_entropy_{reduction}", {"x": [3, 5, 2]}, [("SoftmaxCrossEntropyLoss", ["x", "t", "w"], "y", {"reduction": reduction, "ignore_index": 1})], {"t": np.array([[0, 4], [1, 2], [3, 3]], np.int64), "w": np.float32([0.5, 1, 2, 1.5, 1])})
whole("whole_nll", {"x": [3, 5]}, [("NegativeLogLikelihoodLoss", ["x", "t"], "y", {})], {"t": I64(2, 0, 4)})
# Places of a grid, transforms, resizing.
grid = rng.uniform(-1.3, 1.3, (1, 4, 3, 2)).astype(np.float32)
for mode, padding, corners in (("linear", "zeros", 0), ("cubic", "border", 1), ("nearest", "reflection", 0), ("linear", "reflection", 1), ("cubic", "zeros", 0)):
    whole(f"whole_grid_{mode}_{padding}", {"x": [1, 2, 5, 6]}, [("GridSample", ["x", "g"], "y", {"mode": mode, "padding_mode": padding, "align_corners": corners})], {"g": grid}, opset=20)
for corners in (0, 1):
    whole(f"whole_affine_grid_{corners}", {"x": [2, 2, 3]}, [("AffineGrid", ["x", "s"], "y", {"align_corners": corners})], {"s": I64(2, 1, 3, 4)}, opset=20)
for inverse, onesided, parts in ((0, 0, 1), (0, 1, 1), (0, 0, 2), (1, 0, 2)):
    case(f"fourier_{inverse}{onesided}{parts}", {"x": [6, 3, parts]}, [("DFT", ["x", "", "a"], "y", {"inverse": inverse, "onesided": onesided})], {"a": np.int64(1)}, opset=20)
case("fourier_longer", {"x": [6, 1]}, [("DFT", ["x", "l", "a"], "y", {})], {"l": np.int64(8), "a": np.int64(1)}, opset=20)
for mode in ("linear", "cubic"):
    case(f"resize_{mode}_antialias", {"x": [2, 8, 9]}, [("Resize", ["x", "", "s"], "y", {"mode": mode, "antialias": 1})], {"s": np.float32([1, 1, 0.5, 0.6])}, opset=18)
for policy in ("not_larger", "not_smaller"):
    case(f"resize_{policy}", {"x": [2, 4, 6]}, [("Resize", ["x", "", "", "s"], "y", {"mode": "linear", "keep_aspect_ratio_policy": policy, "axes": [2, 3]})], {"s": I64(7, 8)}, opset=18)
case("resize_part", {"x": [1, 4, 4]}, [("Resize", ["x", "r", "", "s"], "y", {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 3.0})], {"r": np.float32([0, 0, 0.2, 0.3, 1, 1, 0.9, 1.25]), "s": I64(1, 1, 3, 5)})
case("blocks_to_image", {"x": [12, 12]}, [("Col2Im", ["x", "i", "b"], "y", {"pads": [0, 1, 0, 1], "strides": [1, 2]})], {"i": I64(4, 7), "b": I64(2, 2)}, opset=18)
for auto_pad in ("SAME_UPPER", "SAME_LOWER"):
    case(f"transposed_{auto_pad.lower()}", {"x": [2, 4, 5]}, [("ConvTranspose", ["x", "w"], "y", {"auto_pad": auto_pad, "strides": [2, 3]})], {"w": weights(2, 3, 3, 4)})
case("transposed_shape", {"x": [2, 4, 5]}, [("ConvTranspose", ["x", "w"], "y", {"output_shape": [8, 10], "strides": [2, 2]})], {"w": weights(2, 3, 3, 3)})
# Several sequences in one sample, of different lengths.
for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    c = {"w": weights(2, gates * 3, 4), "r": weights(2, gates * 3, 3), "b": weights(2, gates * 6), "l": np.int32([4, 2, 3])}
    whole(f"whole_sequences_{op.lower()}", {"x": [4, 3, 4]}, [(op, ["x", "w", "r", "b", "l"], "y", {"hidden_size": 3, "direction": "bidirectional"})], c)
# Attention and rotary embedding of opset 23.
heads = {"q": [2, 3, 4], "k": [2, 3, 4], "v": [2, 3, 4]}
case("attention_cache", heads | {"p": [2, 2, 4], "r": [2, 2, 4]}, [("Attention", ["q", "k", "v", "", "p", "r"], ["y", "a", "b"], {"is_causal": 1})], opset=23)
case("attention_hidden_row", heads, [("Attention", ["q", "k", "v", "m"], "y", {})], {"m": np.array([[1, 0, 1], [1, 1, 1], [0, 1, 0]], bool)}, opset=23)
angles = rng.uniform(-2, 2, (9, 2)).astype(np.float32)
for name, a in (("halves", {}), ("pairs", {"interleaved": 1}), ("part", {"rotary_embedding_dim": 4})):
    width = 6 if name == "part" else 4
    case(f"rotary_{name}", {"x": [2, 3, width]}, [("RotaryEmbedding", ["x", "c", "s"], "y", a)], {"c": np.cos(angles[None, :3]), "s": np.sin(angles[None, :3])}, opset=23)
case("rotary_places", {"x": [3, 8]}, [("RotaryEmbedding", ["x", "c", "s", "p"], "y", {"num_heads": 2})], {"c": np.cos(angles), "s": np.sin(angles), "p": np.array([[7, 0, 3]], np.int64)}, opset=23)

archive.write("crates/compiler/tests/data/float.npz", sorted(cases.items()))
print(len(cases) // 3, "cases")
