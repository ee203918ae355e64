"""Writes small models of each supported operator with the answers of ONNX Runtime.

    python tools/operator_cases.py        needs numpy, onnx, onnxruntime; run in the repository root

crates/compiler/tests/data/operators.npz, for each case: NAME.model uint8 (the ONNX file), NAME.x float32 [samples, ...], NAME.y float32.
The compiler's tests hold its float interpretation, its fusion and its lowering to these numbers. Fixed seed.
"""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

SAMPLES = 12
ort.set_default_logger_severity(3)
rng = np.random.default_rng(7)
cases = {}


def weights(*shape, scale=None):
    fan = np.prod(shape[1:]) if len(shape) > 1 else 4
    return (rng.standard_normal(shape) * (scale or (2 / fan) ** 0.5)).astype(np.float32)


def case(name, shape, nodes, constants=None, opset=17, batch="batch", samples=SAMPLES):
    """nodes: (op, inputs, output, attributes); the last output is the answer, the input is x."""
    made = [helper.make_node(op, i, o if isinstance(o, list) else [o], name=f"{name}_{k}", **a) for k, (op, i, o, a) in enumerate(nodes)]
    init = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(
        made, name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)], init)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    x = rng.standard_normal((samples, *shape)).astype(np.float32)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y = np.concatenate([session.run(None, {"x": x[i : i + 1]})[0] for i in range(samples)])
    cases[f"{name}.model"] = np.frombuffer(model.SerializeToString(), np.uint8)
    cases[f"{name}.x"], cases[f"{name}.y"] = x, y


def conv(inp, out, **a):
    return ("Conv", [inp, f"w_{out}", f"b_{out}"], out, a)


def conv_constants(out, o, i, k, bias=True):
    return {f"w_{out}": weights(o, i, k, k), f"b_{out}": weights(o, scale=0.3)}


def head(inp, k, out="y", n=5):
    return ("Gemm", [inp, f"w_{out}", f"b_{out}"], out, {"transB": 1}), {f"w_{out}": weights(n, k), f"b_{out}": weights(n, scale=0.2)}


def bn(c, p):
    return {f"{p}s": rng.uniform(0.5, 1.5, c).astype(np.float32), f"{p}b": weights(c, scale=0.3), f"{p}m": weights(c, scale=0.3), f"{p}v": rng.uniform(0.5, 2, c).astype(np.float32)}


I64 = lambda *v: np.array(v, np.int64)

case("gemm_plain", [6], [("Gemm", ["x", "w", "b"], "y", {"alpha": 0.5, "beta": 2.0})], {"w": weights(6, 4), "b": weights(1, 4, scale=0.3)}, 13, 1)
case("gemm_scalar_bias", [6], [("Gemm", ["x", "w", "b"], "y", {"transB": 1})], {"w": weights(4, 6), "b": np.float32([0.4])}, 21)
case("matmul_add", [6], [("MatMul", ["x", "w"], "h", {}), ("Add", ["b", "h"], "y", {})], {"w": weights(6, 4), "b": weights(4, scale=0.3)})
case("matmul_rows", [3, 6], [("MatMul", ["x", "w"], "h", {}), ("Add", ["h", "b"], "a", {}), ("Relu", ["a"], "r", {}), ("MatMul", ["r", "v"], "y", {})], {"w": weights(6, 8), "b": weights(8, scale=0.3), "v": weights(8, 4)})
case("conv_strides_pads", [2, 9, 7], [conv("x", "y", strides=[2, 1], pads=[1, 0, 2, 1])], conv_constants("y", 3, 2, 3))
case("conv_dilated", [2, 9, 9], [conv("x", "y", dilations=[2, 3], pads=[2, 3, 2, 3])], conv_constants("y", 3, 2, 3))
case("conv_groups", [4, 6, 6], [conv("x", "y", group=2, pads=[1, 1, 1, 1])], conv_constants("y", 6, 2, 3))
case("conv_depthwise", [4, 6, 6], [conv("x", "h", group=4, pads=[1, 1, 1, 1]), ("Clip", ["h", "lo", "hi"], "y", {})], conv_constants("h", 8, 1, 3) | {"lo": np.float32(0), "hi": np.float32(0.75)})
for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    case(f"conv_{auto.lower()}", [2, 7, 8], [("Conv", ["x", "w"], "y", {"auto_pad": auto, "strides": [2, 2]})], {"w": weights(3, 2, 4, 4)})
case("conv_bn_relu", [2, 6, 6], [conv("x", "h", pads=[1] * 4), ("BatchNormalization", ["h", "s", "b", "m", "v"], "n", {}), ("Relu", ["n"], "y", {})], conv_constants("h", 4, 2, 3) | bn(4, ""))
case("bn_conv_padded", [2, 6, 6], [("BatchNormalization", ["x", "s", "b", "m", "v"], "n", {}), conv("n", "y", pads=[1] * 4)], conv_constants("y", 4, 2, 3) | bn(2, ""))
case("bn_conv_plain", [2, 6, 6], [("BatchNormalization", ["x", "s", "b", "m", "v"], "n", {}), conv("n", "y", group=2)], conv_constants("y", 4, 1, 3) | bn(2, ""))
case("relu_bn_relu", [3, 5, 5], [("Relu", ["x"], "r", {}), ("BatchNormalization", ["r", "s", "b", "m", "v"], "n", {}), ("Relu", ["n"], "y", {})], bn(3, ""))
g, gc = head("n", 6, "h", 8)
case("bn_gemm_bn", [6], [("BatchNormalization", ["x", "s", "b", "m", "v"], "n", {}), g, ("BatchNormalization", ["h", "s1", "b1", "m1", "v1"], "y", {})], gc | bn(6, "") | {k + "1": v for k, v in bn(8, "").items()})
case("normalised_input", [3, 6, 6], [("Sub", ["x", "mean"], "c", {}), ("Div", ["c", "std"], "n", {}), conv("n", "y", pads=[1] * 4)], conv_constants("y", 4, 3, 3) | {"mean": weights(1, 3, 1, 1, scale=0.3), "std": rng.uniform(0.5, 2, (3, 1, 1)).astype(np.float32)})
case("constant_first", [6], [("Sub", ["one", "x"], "s", {}), ("Mul", ["s", "x2"], "m", {}), ("MatMul", ["m", "w"], "y", {})], {"one": np.float32(1), "x2": np.float32([0.5]), "w": weights(6, 4)})
g1, c1 = head("x", 6, "h", 8)
g2, c2 = head("t", 8)
for op in ("Sigmoid", "Tanh"):
    case(f"mlp_{op.lower()}", [6], [g1, (op, ["h"], "t", {}), g2], c1 | c2)
case("tanh_of_pool", [2, 6, 6], [("MaxPool", ["x"], "p", {"kernel_shape": [2, 2], "strides": [2, 2]}), ("Tanh", ["p"], "t", {}), ("Relu", ["t"], "y", {})])
case("sigmoid_answer", [6], [g1, ("Sigmoid", ["h"], "y", {})], c1)
case("max_pool_ceil", [3, 7, 6], [("MaxPool", ["x"], "y", {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1})])
case("max_pool_ceil_pads", [2, 6, 6], [("MaxPool", ["x"], "y", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1})])
case("max_pool_pads", [3, 6, 6], [("MaxPool", ["x"], "p", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 1]}), ("Relu", ["p"], "y", {})])
case("average_pool", [3, 6, 6], [("AveragePool", ["x"], "y", {"kernel_shape": [3, 2], "strides": [1, 2]})])
case("average_pool_padded", [3, 6, 6], [("AveragePool", ["x"], "p", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}), ("Relu", ["p"], "y", {})])
g, gc = head("f", 3)
case("global_average", [3, 6, 5], [("GlobalAveragePool", ["x"], "p", {}), ("Flatten", ["p"], "f", {}), g], gc)
case("global_max", [3, 6, 5], [("GlobalMaxPool", ["x"], "p", {}), ("Flatten", ["p"], "f", {}), g], gc)
case("reduce_mean_13", [3, 6, 5], [("ReduceMean", ["x"], "f", {"axes": [-1, -2], "keepdims": 0}), g], gc, 13)
case("reduce_mean_18", [3, 6, 5], [("ReduceMean", ["x", "axes"], "p", {"keepdims": 1}), ("Squeeze", ["p", "axes"], "f", {}), g], gc | {"axes": I64(2, 3)}, 18)
g, gc = head("f", 4 * 6 * 5)
cc = conv_constants("h", 4, 2, 3)
case("conv_flatten_gemm", [2, 6, 5], [conv("x", "h", pads=[1] * 4), ("Relu", ["h"], "r", {}), ("Flatten", ["r"], "f", {}), g], cc | gc)
case("conv_view_relu_gemm", [2, 6, 5], [conv("x", "h", pads=[1] * 4), ("Reshape", ["h", "to"], "f0", {}), ("Relu", ["f0"], "f", {}), g], cc | gc | {"to": I64(0, -1)})
case("conv_transpose_gemm", [2, 6, 5], [conv("x", "h", pads=[1] * 4), ("Transpose", ["h"], "t", {"perm": [0, 2, 3, 1]}), ("Flatten", ["t"], "f", {}), g], cc | gc)
case("view_from_shape", [2, 6, 5], [conv("x", "h", pads=[1] * 4), ("Shape", ["h"], "s", {}), ("Gather", ["s", "zero"], "n", {"axis": 0}), ("Unsqueeze", ["n", "axes"], "n1", {}), ("Concat", ["n1", "rest"], "to", {"axis": 0}), ("Reshape", ["h", "to"], "f", {}), g], cc | gc | {"zero": np.int64(0), "axes": I64(0), "rest": I64(-1)})
case("view_from_slice", [2, 6, 5], [conv("x", "h", pads=[1] * 4), ("Shape", ["h"], "s", {"start": 0, "end": 1}), ("Concat", ["s", "rest"], "to", {"axis": 0}), ("Reshape", ["h", "to"], "f", {"allowzero": 1}), ("Identity", ["f"], "f1", {}), ("Dropout", ["f1"], "f2", {}), ("Gemm", ["f2", "w_y", "b_y"], "y", {"transB": 1})], cc | gc | {"rest": I64(120)}, 18)
case("flat_to_image", [32], [("Reshape", ["x", "to"], "i", {}), conv("i", "y", pads=[1] * 4)], conv_constants("y", 3, 2, 3) | {"to": I64(-1, 2, 4, 4)})
case("image_to_image", [2, 4, 6], [conv("x", "h", pads=[1] * 4), ("Reshape", ["h", "to"], "i", {}), conv("i", "y", pads=[1] * 4)], conv_constants("h", 4, 2, 3) | conv_constants("y", 3, 2, 3) | {"to": I64(0, 2, 8, 6)})
case("image_answer", [2, 6, 5], [conv("x", "y", pads=[1] * 4)], conv_constants("y", 4, 2, 3))
case("flattened_answer", [2, 6, 5], [conv("x", "h", pads=[1] * 4), ("Flatten", ["h"], "y", {})], cc)
two = conv_constants("a", 2, 2, 3) | conv_constants("b", 2, 2, 3)
P = {"pads": [1] * 4}
case("residual_input", [2, 6, 6], [conv("x", "a", **P), ("Add", ["a", "x"], "s", {}), ("Relu", ["s"], "y", {})], two)
case("residual_two", [2, 6, 6], [conv("x", "a", **P), conv("x", "b", **P), ("Add", ["a", "b"], "s", {}), ("Relu", ["s"], "y", {})], two)
case("residual_late", [2, 6, 6], [conv("x", "a", **P), ("Relu", ["x"], "r", {}), conv("r", "b", **P), ("Relu", ["b"], "rb", {}), ("Add", ["a", "rb"], "y", {})], two)
case("residual_shared", [2, 6, 6], [conv("x", "a", **P), conv("a", "b", **P), ("Add", ["a", "b"], "s", {}), ("Add", ["s", "a"], "y", {})], two)
case("sum_of_relus", [2, 6, 6], [("Relu", ["x"], "r", {}), ("Add", ["r", "x"], "s", {}), ("Clip", ["s", "lo", "hi"], "y", {})], {"lo": np.float32(-0.5), "hi": np.float32(2)})
case("twice_itself", [2, 6, 6], [conv("x", "a", **P), ("Add", ["a", "a"], "y", {})], two)
case("sum_tanh", [2, 6, 6], [conv("x", "a", **P), ("Add", ["a", "x"], "s", {}), ("Tanh", ["s"], "y", {})], two)
g1, c1 = head("x", 6, "h", 6)
case("residual_gemm", [6], [g1, ("Add", ["x", "h"], "s", {}), ("Relu", ["s"], "t", {}), ("Gemm", ["t", "w_y", "b_y"], "y", {"transB": 1})], c1 | {"w_y": weights(5, 6), "b_y": weights(5, scale=0.2)})
case("long_row", [20000], [("Gemm", ["x", "w", "b"], "h", {"transB": 1}), ("Relu", ["h"], "y", {})], {"w": np.tile(weights(3, 50, scale=0.01), (1, 400)), "b": np.float32([0.3, -0.2, 0.1])})
case("opset_13_clip", [6], [("Clip", ["x", "", "hi"], "y", {})], {"hi": np.float32(0.5)}, 13)

# Gates, concatenations, moves, activations.
C3 = {"pads": [1] * 4}
ab = conv_constants("a", 4, 3, 3) | conv_constants("b", 4, 3, 3)
A, B = conv("x", "a", **C3), conv("x", "b", **C3)
RA, RB = ("Relu", ["a"], "ra", {}), ("Relu", ["b"], "rb", {})
case("concat_channels", [3, 6, 5], [A, B, RA, RB, ("Concat", ["ra", "rb"], "j", {"axis": 1}), conv("j", "y", **C3)], ab | conv_constants("y", 3, 8, 3))
case("concat_scales", [3, 6, 5], [A, B, RA, ("Mul", ["b", "small"], "sb", {}), conv("sb", "d", **C3), ("Concat", ["ra", "sb"], "j", {"axis": -3}), conv("j", "e", **C3), ("Add", ["d", "e"], "y", {})], ab | {"small": np.float32(0.4)} | conv_constants("d", 3, 4, 3) | conv_constants("e", 3, 8, 3))
case("concat_input", [3, 6, 5], [A, RA, ("Concat", ["x", "ra", "x"], "j", {"axis": 1}), conv("j", "y", **C3)], ab | conv_constants("y", 3, 10, 3))
case("concat_many", [2, 4, 4], [("Concat", ["x"] * 19, "j", {"axis": 1}), conv("j", "y", **C3)], conv_constants("y", 3, 38, 3))
for axis in (2, 3):
    case(f"concat_axis_{axis}", [3, 6, 5], [A, B, ("Concat", ["a", "b"], "j", {"axis": axis}), conv("j", "y", **C3)], ab | conv_constants("y", 3, 4, 3))
g, gc = head("j", 12)
g1, c1 = head("x", 6, "h", 6)
case("concat_rows", [6], [g1, ("Concat", ["x", "h"], "j", {"axis": 1}), g], c1 | gc)
case("batch_norm_of_concat", [3, 6, 5], [A, B, ("Concat", ["a", "b"], "j", {"axis": 1}), ("BatchNormalization", ["j", "s", "t", "m", "v"], "n", {}), ("Relu", ["n"], "r", {}), conv("r", "y", **C3)], ab | {"s": rng.uniform(0.5, 1.5, 8).astype(np.float32), "t": weights(8, scale=0.3), "m": weights(8, scale=0.3), "v": rng.uniform(0.5, 2, 8).astype(np.float32)} | conv_constants("y", 3, 8, 3))
for op in ("Sub", "Mul"):
    case(f"pair_{op.lower()}", [3, 6, 5], [A, B, RA, RB, (op, ["ra", "rb"], "s", {}), conv("s", "y", **C3)], ab | conv_constants("y", 3, 4, 3))
case("pair_relu_answer", [3, 6, 5], [A, B, ("Mul", ["a", "b"], "m", {}), ("Relu", ["m"], "y", {})], ab)
gate = [("GlobalAveragePool", ["ra"], "p", {}), conv("p", "q"), ("Relu", ["q"], "rq", {}), conv("rq", "z"), ("Sigmoid", ["z"], "g", {})]
gc = conv_constants("q", 3, 4, 1) | conv_constants("z", 4, 3, 1)
case("squeeze_excitation", [3, 6, 5], [A, RA, *gate, ("Mul", ["ra", "g"], "m", {}), conv("m", "y", **C3)], ab | gc | conv_constants("y", 3, 4, 3))
case("gate_first", [3, 6, 5], [A, RA, *gate, ("Mul", ["g", "ra"], "y", {})], ab | gc)
case("gate_subtracted", [3, 6, 5], [A, RA, *gate, ("Sub", ["g", "ra"], "y", {})], ab | gc)
case("gate_of_positions", [3, 6, 5], [A, RA, conv("ra", "z", **C3), ("Sigmoid", ["z"], "g", {}), ("Mul", ["ra", "g"], "y", {})], ab | conv_constants("z", 1, 4, 3))
case("gate_of_one", [3, 6, 5], [A, RA, conv("ra", "z"), ("GlobalMaxPool", ["z"], "p", {}), ("Mul", ["ra", "p"], "y", {})], ab | conv_constants("z", 1, 4, 1))
case("affine_scalars", [3, 6, 5], [A, RA, ("Mul", ["ra", "two"], "m", {}), ("Add", ["m", "c"], "s", {}), conv("s", "y", **C3)], ab | {"two": np.float32(2), "c": np.float32(0.5)} | conv_constants("y", 3, 4, 3))
ACT = {
    "leaky_relu": [("LeakyRelu", ["h"], "t", {"alpha": 0.2})], "hard_sigmoid": [("HardSigmoid", ["h"], "t", {})], "hard_swish": [("HardSwish", ["h"], "t", {})],
    "elu": [("Elu", ["h"], "t", {"alpha": 0.7})], "selu": [("Selu", ["h"], "t", {})], "celu": [("Celu", ["h"], "t", {"alpha": 0.5})], "softplus": [("Softplus", ["h"], "t", {})],
    "softsign": [("Softsign", ["h"], "t", {})], "abs": [("Abs", ["h"], "t", {})], "neg": [("Neg", ["h"], "t", {})], "exp": [("Exp", ["h"], "t", {})], "erf": [("Erf", ["h"], "t", {})],
    "max": [("Max", ["h", "half"], "t", {})], "min": [("Min", ["half", "h"], "t", {})], "prelu": [("PRelu", ["h", "half"], "t", {})], "pow": [("Pow", ["h", "two"], "t", {})],
    "silu": [("Sigmoid", ["h"], "s", {}), ("Mul", ["h", "s"], "t", {})], "silu_other_way": [("Sigmoid", ["h"], "s", {}), ("Mul", ["s", "h"], "t", {})],
    "hard_swish_mul": [("HardSigmoid", ["h"], "s", {"alpha": 1 / 6}), ("Mul", ["h", "s"], "t", {})],
    "hard_swish_clip": [("Add", ["h", "three"], "a1", {}), ("Clip", ["a1", "zero", "six"], "a2", {}), ("Div", ["a2", "six"], "a3", {}), ("Mul", ["h", "a3"], "t", {})],
    "hard_swish_last": [("Add", ["h", "three"], "a1", {}), ("Clip", ["a1", "zero", "six"], "a2", {}), ("Mul", ["h", "a2"], "a3", {}), ("Div", ["a3", "six"], "t", {})],
    "gelu_erf": [("Div", ["h", "root"], "a1", {}), ("Erf", ["a1"], "a2", {}), ("Add", ["a2", "one"], "a3", {}), ("Mul", ["h", "a3"], "a4", {}), ("Mul", ["a4", "half"], "t", {})],
    "mish_spelled": [("Softplus", ["h"], "a1", {}), ("Tanh", ["a1"], "a2", {}), ("Mul", ["h", "a2"], "t", {})],
}
numbers = {"half": np.float32(0.5), "one": np.float32(1), "two": np.float32(2), "three": np.float32(3), "six": np.float32(6), "zero": np.float32(0), "root": np.float32(2**0.5)}
g1, c1 = head("x", 6, "h", 16)
g2, c2 = head("t", 16)
for name, nodes in ACT.items():
    case(f"act_{name}", [6], [g1, *nodes, g2], c1 | c2 | numbers)
for name, nodes in {"mish": [("Mish", ["h"], "t", {})], "gelu": [("Gelu", ["h"], "t", {})], "gelu_tanh": [("Gelu", ["h"], "t", {"approximate": "tanh"})]}.items():
    case(f"act_{name}", [6], [g1, *nodes, g2], c1 | c2, 20)
case("act_of_sum", [3, 6, 5], [A, B, ("Relu", ["a"], "ra", {}), ("Relu", ["b"], "rb", {}), ("Add", ["ra", "rb"], "h", {}), ("HardSwish", ["h"], "t", {}), conv("t", "y", **C3)], ab | conv_constants("y", 3, 4, 3))
case("act_shared", [3, 6, 5], [A, RA, ("Sigmoid", ["ra"], "s", {}), ("Softplus", ["ra"], "p", {}), ("Mul", ["s", "ra"], "m", {}), ("Add", ["m", "p"], "t", {}), conv("t", "y", **C3), ], ab | conv_constants("y", 3, 4, 3))
case("act_behind_max_pool", [3, 6, 6], [A, ("MaxPool", ["a"], "p", {"kernel_shape": [2, 2], "strides": [2, 2]}), ("HardSwish", ["p"], "t", {}), conv("t", "y", **C3)], ab | conv_constants("y", 3, 4, 3))
S1 = ("Slice", ["ra", "from", "to", "axes", "steps"], "t", {})
for name, (f, t, a, s) in {"channels": (1, 3, 1, 1), "rows_steps": (1, 6, 2, 2), "columns_back": (-1, -100, -1, -1), "tail": (-2, 2**62, 3, 1)}.items():
    case(f"slice_{name}", [3, 6, 5], [A, RA, S1, ("GlobalAveragePool", ["t"], "p", {}), ("Add", ["t", "p"], "y", {})], ab | {"from": I64(f), "to": I64(t), "axes": I64(a), "steps": I64(s)})
case("focus", [3, 6, 4], [("Slice", ["x", "f0", "to", "ax", "st"], "s0", {}), ("Slice", ["x", "f1", "to", "ax", "st"], "s1", {}), ("Concat", ["s0", "s1"], "j", {"axis": 1}), conv("j", "y", **C3)], conv_constants("y", 3, 6, 3) | {"f0": I64(0, 0), "f1": I64(1, 1), "to": I64(2**31 - 1, 2**31 - 1), "ax": I64(2, 3), "st": I64(2, 2)})
case("gather_channel", [3, 6, 5], [("Gather", ["x", "i"], "c", {"axis": 1}), ("Unsqueeze", ["c", "ax"], "u", {}), ("Mul", ["u", "k"], "m", {}), conv("m", "y", **C3)], conv_constants("y", 3, 1, 3) | {"i": np.int64(-2), "ax": I64(1), "k": np.float32(0.5)})
for opset, tail in {12: ([], {"split": [1, 3]}), 17: (["parts"], {}), 18: ([], {"num_outputs": 2})}.items():
    case(f"split_{opset}", [3, 6, 5], [A, RA, ("Split", ["ra", *tail[0]], ["s", "t"], {"axis": 1, **tail[1]}), ("Concat", ["t", "s"], "j", {"axis": 1}), conv("j", "y", **C3)], ab | {"parts": I64(3, 1)} | conv_constants("y", 3, 4, 3), opset)
case("pad_values", [3, 6, 5], [A, RA, ("Pad", ["ra", "pads", "v"], "t", {}), conv("t", "y")], ab | {"pads": I64(0, 1, 2, 0, 0, 0, -1, 3), "v": np.float32(0.7)} | conv_constants("y", 3, 5, 3))
case("pad_conv", [3, 6, 5], [A, RA, ("Pad", ["ra", "pads"], "t", {}), conv("t", "y", strides=[2, 2])], ab | {"pads": I64(0, 0, 0, 0, 0, 0, 1, 1)} | conv_constants("y", 3, 4, 3))
case("channel_shuffle", [3, 6, 5], [A, RA, ("Reshape", ["ra", "split"], "s", {}), ("Transpose", ["s"], "t", {"perm": [0, 2, 1, 3, 4]}), ("Reshape", ["t", "join"], "u", {}), conv("u", "y", **C3)], ab | {"split": I64(0, 2, 2, 6, 5), "join": I64(0, -1, 6, 5)} | conv_constants("y", 3, 4, 3))
for mode in ("DCR", "CRD"):
    case(f"depth_to_space_{mode.lower()}", [3, 6, 5], [A, RA, ("DepthToSpace", ["ra"], "t", {"blocksize": 2, "mode": mode}), conv("t", "y", **C3)], ab | {} | conv_constants("y", 3, 1, 3))
case("space_to_depth", [3, 6, 4], [("SpaceToDepth", ["x"], "t", {"blocksize": 2}), conv("t", "y", **C3)], conv_constants("y", 3, 12, 3))
case("resize_scales", [3, 4, 5], [A, RA, ("Resize", ["ra", "", "sc"], "t", {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}), conv("t", "y", **C3)], ab | {"sc": np.float32([1, 1, 2, 3])} | conv_constants("y", 3, 4, 3))
case("resize_sizes", [3, 4, 5], [A, RA, ("Resize", ["ra", "", "", "sz"], "t", {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}), conv("t", "y", **C3)], ab | {"sz": I64(1, 4, 7, 3)} | conv_constants("y", 3, 4, 3))
case("resize_half_pixel", [3, 4, 5], [A, RA, ("Resize", ["ra", "", "sc"], "t", {"mode": "nearest"}), conv("t", "y", **C3)], ab | {"sc": np.float32([1, 1, 3, 2])} | conv_constants("y", 3, 4, 3))


def up(out, i, o, k):
    return {f"w_{out}": weights(i, o, k, k, scale=(2 / (i * k * k / 4)) ** 0.5), f"b_{out}": weights(o * (1 if out != "yg" else 2), scale=0.3)}


case("conv_transpose", [3, 4, 5], [A, RA, ("ConvTranspose", ["ra", "w_y", "b_y"], "y", {"strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 0]})], ab | up("y", 4, 2, 3))
case("conv_transpose_groups", [3, 4, 5], [A, RA, ("ConvTranspose", ["ra", "w_yg", "b_yg"], "y", {"strides": [2, 2], "group": 2, "dilations": [1, 2]})], ab | up("yg", 4, 3, 2))
case("conv_transpose_plain", [3, 4, 5], [A, RA, ("ConvTranspose", ["ra", "w_y"], "y", {"pads": [1, 1, 1, 1]})], ab | up("y", 4, 2, 3))
case("average_pool_without_pads", [3, 6, 6], [A, RA, ("AveragePool", ["ra"], "t", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}), conv("t", "y", **C3)], ab | conv_constants("y", 3, 4, 3))
case("long_average", [16, 64, 48], [("Relu", ["x"], "r", {}), ("GlobalAveragePool", ["r"], "p", {}), conv("p", "y")], conv_constants("y", 4, 16, 1), samples=2)
case("reduce_max", [3, 6, 5], [A, ("ReduceMax", ["a"], "f", {"axes": [2, 3], "keepdims": 0}), ("Gemm", ["f", "w_y", "b_y"], "y", {"transB": 1})], ab | {"w_y": weights(5, 4), "b_y": weights(5, scale=0.2)}, 13)
case("opset_11", [3, 6, 5], [A, RA, ("GlobalAveragePool", ["ra"], "p", {}), ("Squeeze", ["p"], "s", {"axes": [2, 3]}), ("Unsqueeze", ["s"], "u", {"axes": [2]}), ("Squeeze", ["u"], "v", {"axes": [-1]}), ("Gemm", ["v", "w_y", "b_y"], "y", {"transB": 1})], ab | {"w_y": weights(5, 4), "b_y": weights(5, scale=0.2)}, 11)
case("opset_22", [3, 6, 5], [A, ("HardSwish", ["a"], "ra", {}), ("AveragePool", ["ra"], "y", {"kernel_shape": [2, 2]})], ab, 22)
for op in ("ReduceMean", "ReduceMax"):
    case(f"{op.lower()}_channels", [3, 6, 5], [A, RA, (op, ["ra"], "m", {"axes": [1], "keepdims": 1}), conv("m", "z", **C3), ("Sigmoid", ["z"], "g", {}), ("Mul", ["ra", "g"], "y", {})], ab | conv_constants("z", 1, 1, 3), 17)
    case(f"{op.lower()}_tokens", [7, 6], [("MatMul", ["x", "w"], "h", {}), ("Relu", ["h"], "r", {}), (op, ["r"], "m", {"axes": [1], "keepdims": 0}), ("MatMul", ["m", "v"], "y", {})], {"w": weights(6, 8), "v": weights(8, 4)}, 17)
case("reduce_last", [3, 6, 5], [A, RA, ("ReduceMean", ["ra"], "m", {"axes": [-1], "keepdims": 0}), ("Flatten", ["m"], "f", {}), ("Gemm", ["f", "w", "c"], "y", {})], ab | {"w": weights(24, 5), "c": weights(5, scale=0.2)}, 17)
case("reduce_sum", [3, 6, 5], [A, RA, ("ReduceSum", ["ra", "axes"], "m", {"keepdims": 0}), ("Gemm", ["m", "w", "c"], "y", {})], ab | {"axes": I64(2, 3), "w": weights(4, 5, scale=0.05), "c": weights(5, scale=0.2)})
case("expand_gate", [3, 6, 5], [A, RA, *gate, ("Shape", ["ra"], "s", {}), ("Expand", ["g", "s"], "e", {}), ("Mul", ["ra", "e"], "y", {})], ab | gc)
case("resize_like", [3, 6, 4], [conv("x", "h", strides=[2, 2], **C3), ("Relu", ["h"], "r", {}), ("Shape", ["x"], "s", {}), ("Slice", ["s", "two", "four"], "hw", {}), ("Shape", ["r"], "t", {}), ("Slice", ["t", "zero", "two"], "nc", {}), ("Concat", ["nc", "hw"], "to", {"axis": 0}), ("Resize", ["r", "", "", "to"], "u", {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}), ("Concat", ["u", "x"], "j", {"axis": 1}), conv("j", "y", **C3)], conv_constants("h", 4, 3, 3) | conv_constants("y", 3, 7, 3) | {"zero": I64(0), "two": I64(2), "four": I64(4)})
case("pad_computed", [3, 6, 5], [("ConstantOfShape", ["four"], "z", {"value": numpy_helper.from_array(I64(0))}), ("Concat", ["p", "z"], "q", {"axis": 0}), ("Reshape", ["q", "pairs"], "r", {}), ("Slice", ["r", "last", "first", "zero", "last"], "b", {}), ("Transpose", ["b"], "t", {"perm": [1, 0]}), ("Reshape", ["t", "flat"], "pads0", {}), ("Cast", ["pads0"], "pads", {"to": 7}), ("Pad", ["x", "pads"], "i", {}), conv("i", "y")], conv_constants("y", 3, 3, 3) | {"four": I64(4), "p": I64(1, 2, 0, 1), "pairs": I64(-1, 2), "last": I64(-1), "first": I64(-(2**62)), "zero": I64(0), "flat": I64(-1)})
case("act_log_sigmoid", [6], [head("x", 6, "h", 16)[0], ("Sigmoid", ["h"], "s", {}), ("Log", ["s"], "t", {}), g2], head("x", 6, "h", 16)[1] | c2)
for include in (0, 1):
    case(f"average_pool_ceil_{include}", [3, 6, 8], [A, RA, ("AveragePool", ["ra"], "t", {"kernel_shape": [3, 3], "strides": [2, 3], "pads": [1, 1, 0, 0], "ceil_mode": 1, "count_include_pad": include}), conv("t", "y", **C3)], ab | conv_constants("y", 3, 4, 3), 19)
line = {"w1": weights(8, 3, 5), "w2": weights(4, 8, 3), "b2": weights(4, scale=0.3), "w3": weights(4, 5), "s": rng.uniform(0.5, 1.5, 8).astype(np.float32), "b": weights(8, scale=0.3), "m": weights(8, scale=0.3), "v": rng.uniform(0.5, 2, 8).astype(np.float32)}
case("lines", [3, 20], [("Conv", ["x", "w1"], "h", {"pads": [2, 1], "strides": [2]}), ("BatchNormalization", ["h", "s", "b", "m", "v"], "n", {}), ("Relu", ["n"], "r", {}), ("MaxPool", ["r"], "p", {"kernel_shape": [2], "strides": [2]}), ("Conv", ["p", "w2", "b2"], "c", {"dilations": [2], "kernel_shape": [3], "pads": [2, 2]}), ("LeakyRelu", ["c"], "l", {}), ("GlobalAveragePool", ["l"], "g", {}), ("Flatten", ["g"], "f", {}), ("MatMul", ["f", "w3"], "y", {})], line)
case("average_line", [3, 20], [("Conv", ["x", "w1"], "h", {"pads": [2, 2]}), ("AveragePool", ["h"], "y", {"kernel_shape": [4], "strides": [4]})], {"w1": line["w1"]})
case("slices_of_slices", [3, 8, 6], [A, RA, ("Slice", ["ra", "one", "end", "rows", "steps"], "s", {}), ("Slice", ["s", "one", "end", "columns", "steps"], "t", {}), ("Slice", ["t", "one", "three", "rows"], "u", {}), ("Pad", ["u", "pads"], "v", {}), conv("v", "y", pads=[1, 0, 1, 0])], ab | {"one": I64(1), "three": I64(3), "end": I64(2**62), "rows": I64(2), "columns": I64(3), "steps": I64(2), "pads": I64(0, 0, 0, 1, 0, 0, 2, 0)} | conv_constants("y", 3, 4, 3))
case("long_windows", [16, 50, 49], [("Relu", ["x"], "r", {}), ("AveragePool", ["r"], "p", {"kernel_shape": [24, 12], "strides": [24, 12]}), conv("p", "y")], conv_constants("y", 4, 16, 1), samples=2)
np.savez_compressed("crates/compiler/tests/data/operators.npz", **cases)
print(len(cases) // 3, "cases")
