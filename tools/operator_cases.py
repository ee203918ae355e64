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
rng = np.random.default_rng(7)
cases = {}


def weights(*shape, scale=None):
    fan = np.prod(shape[1:]) if len(shape) > 1 else 4
    return (rng.standard_normal(shape) * (scale or (2 / fan) ** 0.5)).astype(np.float32)


def case(name, shape, nodes, constants=None, opset=17, batch="batch"):
    """nodes: (op, inputs, output, attributes); the last output is the answer, the input is x."""
    made = [helper.make_node(op, i, [o], name=f"{name}_{k}", **a) for k, (op, i, o, a) in enumerate(nodes)]
    init = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(
        made, name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)], init)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    x = rng.standard_normal((SAMPLES, *shape)).astype(np.float32)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y = np.concatenate([session.run(None, {"x": x[i : i + 1]})[0] for i in range(SAMPLES)])
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

np.savez_compressed("crates/compiler/tests/data/operators.npz", **cases)
print(len(cases) // 3, "cases")
