//! The table of operators.

use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::{Imported, NodeContext};

/// Operators of the ONNX domain that the importer takes.
pub const SUPPORTED: &[&str] = &[
    "Abs",
    "Acos",
    "Acosh",
    "Add",
    "AffineGrid",
    "And",
    "ArgMax",
    "ArgMin",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Attention",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "CastLike",
    "CausalConvWithState",
    "Ceil",
    "Celu",
    "CenterCropPad",
    "Clip",
    "Col2Im",
    "Compress",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvInteger",
    "ConvTranspose",
    "Cos",
    "Cosh",
    "CumProd",
    "CumSum",
    "DFT",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "DynamicQuantizeLinear",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Erfc",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "GRU",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GridSample",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "If",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LRN",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "LinearAttention",
    "Log",
    "LogSoftmax",
    "Loop",
    "LpNormalization",
    "LpPool",
    "MatMul",
    "MatMulInteger",
    "Max",
    "MaxPool",
    "Mean",
    "MeanVarianceNormalization",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "NegativeLogLikelihoodLoss",
    "Not",
    "OneHot",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "RMSNormalization",
    "RNN",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "ReverseSequence",
    "RotaryEmbedding",
    "Round",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Size",
    "Slice",
    "Softmax",
    "SoftmaxCrossEntropyLoss",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "SwiGLU",
    "Swish",
    "Tan",
    "Tanh",
    "TensorScatter",
    "ThresholdedRelu",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Where",
    "Xor",
];

/// Operators of the domain com.microsoft that the importer takes: those of quantised models.
pub(super) const CONTRIBUTED: &[&str] = &[
    "DequantizeLinear",
    "DynamicQuantizeLSTM",
    "QGemm",
    "QLinearAdd",
    "QLinearAveragePool",
    "QLinearConcat",
    "QLinearGlobalAveragePool",
    "QLinearLeakyRelu",
    "QLinearMul",
    "QLinearSigmoid",
    "QLinearSoftmax",
    "QuantizeLinear",
];

/// Operators of the domain ai.onnx.ml that the importer takes: linear models of scikit-learn, and what stands
/// around its networks.
pub(super) const CLASSIC: &[&str] = &[
    "ArrayFeatureExtractor",
    "Binarizer",
    "Imputer",
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "Scaler",
    "ZipMap",
];

impl NodeContext<'_> {
    /// The outputs of the node, as many as are made.
    pub(super) fn outputs_of_op(&mut self) -> Result<Vec<Value>, ImportError> {
        match self.node.op.as_str() {
            "Split" => return self.split(),
            "If" => return self.branch(),
            "Loop" => return self.rounds(),
            "LSTM" | "GRU" | "RNN" => return self.recurrent(),
            "Attention" => return self.attention(),
            "LinearAttention" => return self.linear_attention(),
            "CausalConvWithState" => return self.causal_conv(),
            "DynamicQuantizeLinear" => return self.dynamic_quantize(),
            "DynamicQuantizeLSTM" => return self.quantised_lstm(),
            "LinearClassifier" => return self.linear_classifier(),
            _ => {}
        }
        if let Some(value) = self.of_frames()? {
            return Ok(vec![value]);
        }
        if let Some(value) = self.quantised() {
            return Ok(vec![value?]);
        }
        let one = match self.node.op.as_str() {
            "Gemm" => self.gemm(),
            "MatMul" => self.matmul(),
            "Conv" => self.conv(),
            "BatchNormalization" => self.batch_norm(),
            "ConvTranspose" => self.conv_transpose(),
            "MaxPool" => self.max_pool(),
            "AveragePool" => self.average_pool(),
            "LpPool" => self.lp_pool(),
            "LRN" => self.local_norm(),
            "GlobalAveragePool" => self.global_pool(true),
            "GlobalMaxPool" => self.global_pool(false),
            "ArgMax" | "ArgMin" => self.arg_extreme(),
            "Softmax" => self.softmax(),
            "LogSoftmax" => self.log_softmax(),
            "NegativeLogLikelihoodLoss" | "SoftmaxCrossEntropyLoss" => self.loss(),
            "RotaryEmbedding" => self.rotary(),
            "CumProd" => self.cumulated_product(),
            "Hardmax" => self.hard_max(),
            "OneHot" => self.one_hot(),
            "SwiGLU" => self.gated(),
            "LayerNormalization" | "RMSNormalization" => self.layer_norm(),
            "InstanceNormalization" | "GroupNormalization" => self.group_norm(),
            "LpNormalization" => self.lp_norm(),
            "MeanVarianceNormalization" => self.mean_variance(),
            "CumSum" => self.cumulative(),
            "Einsum" => self.einsum(),
            "Resize" => self.resize(),
            "GridSample" => self.grid_sample(),
            "AffineGrid" => self.affine_grid(),
            "Col2Im" => self.blocks_to_image(),
            "DFT" => self.fourier(),
            "Scaler" => self.scaler(),
            "ZipMap" => self.zip_map(),
            "ArrayFeatureExtractor" => self.pick_features(),
            "Binarizer" => self.binarizer(),
            "Imputer" => self.imputer(),
            "LinearRegressor" => self.linear_regressor(),
            "Normalizer" => self.normalizer(),
            op if op.starts_with("Reduce") && SUPPORTED.contains(&op) => self.reduce(),
            _ => match self.elementwise() {
                Some(value) => value,
                None => self.moving().unwrap_or_else(|| Err(self.unknown())),
            },
        };
        Ok(vec![one?])
    }

    /// Operators on elements.
    fn elementwise(&mut self) -> Option<Imported> {
        Some(match self.node.op.as_str() {
            "Add" | "Sub" | "Mul" | "Div" => self.binary(),
            "Max" | "Min" => self.bounded(),
            "Sum" | "Mean" => self.sum(),
            "Mod" => self.remainder(),
            "Relu" => self
                .allow(&[])
                .and_then(|()| self.unary(FloatOp::Clip(0.0, f32::INFINITY))),
            "Clip" => self.clip(),
            "PRelu" => self.slopes(),
            "Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "And" | "Or"
            | "Xor" => self.compare(),
            "Not" => self.not(),
            "IsNaN" | "IsInf" => self.is_special(),
            "Where" => self.choose(),
            "Abs" | "Acos" | "Acosh" | "Asin" | "Asinh" | "Atan" | "Atanh" | "Ceil" | "Celu"
            | "Cos" | "Cosh" | "Elu" | "Erf" | "Erfc" | "Exp" | "Floor" | "Gelu"
            | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Log" | "Mish" | "Neg" | "Pow"
            | "Reciprocal" | "Round" | "Selu" | "Shrink" | "Sigmoid" | "Sign" | "Sin" | "Sinh"
            | "Softplus" | "Softsign" | "Sqrt" | "Swish" | "Tan" | "Tanh" | "ThresholdedRelu" => {
                self.function()
            }
            _ => return None,
        })
    }

    /// Operators that move elements or compute shapes.
    fn moving(&mut self) -> Option<Imported> {
        Some(match self.node.op.as_str() {
            "Flatten" => self.flatten(),
            "Reshape" => self.reshape(),
            "Squeeze" => self.squeeze(),
            "Unsqueeze" => self.unsqueeze(),
            "Transpose" => self.transpose(),
            "Identity" => self.allow(&[]).and_then(|()| self.value(0).cloned()),
            "Dropout" => self.dropout(),
            "Cast" | "CastLike" => self.cast(),
            "Constant" => self.constant(),
            "ConstantOfShape" => self.constant_of_shape(),
            "Range" => self.range_of_numbers(),
            "ScatterND" => self.scatter(),
            "Scatter" | "ScatterElements" => self.scatter_elements(),
            "TensorScatter" => self.scatter_rows(),
            "GatherElements" => self.gather_elements(),
            "GatherND" => self.gather_tuples(),
            "Compress" => self.compress(),
            "ReverseSequence" => self.reverse_sequence(),
            "CenterCropPad" => self.center(),
            "Trilu" => self.triangle(),
            "Shape" => self.shape(),
            "Size" => self.size(),
            "Gather" => self.gather(),
            "Concat" => self.concat(),
            "Slice" => self.slice(),
            "Expand" => self.expand(),
            "Tile" => self.tile(),
            "Pad" => self.pad(),
            "DepthToSpace" => self.depth_to_space(),
            "SpaceToDepth" => self.space_to_depth(),
            _ => return None,
        })
    }

    fn unknown(&self) -> ImportError {
        let advice = match self.node.op.as_str() {
            "Scan" => "write the steps one after the other, or as a Loop",
            "TopK" | "NonMaxSuppression" | "NonZero" | "Unique" => {
                "take this step out of the model: its result has no fixed order or size"
            }
            "Upsample" => "export with opset 11 or later, which writes Resize",
            "RandomNormal" | "RandomUniform" | "RandomNormalLike" | "RandomUniformLike"
            | "Multinomial" | "Bernoulli" => "a program has no chance: take this step out",
            _ => "rewrite this part of the model with the supported operators",
        };
        self.refuse(
            "this operator is not supported".to_owned(),
            &SUPPORTED.join(", "),
            advice,
        )
    }
}
