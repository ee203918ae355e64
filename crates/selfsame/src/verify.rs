//! Checks a run by another engine, and a receipt without a chain.
//!
//! Equal roots mean equal integers in every node: whoever runs a model again on any machine, by any
//! instruction set or by the interpreter, finds the same ones.
//!
//! ```
//! use selfsame::{Engine, Model, RunOptions, patterned, verify};
//!
//! let model = Model::load("../../models/mlp/program.selfsame")?;
//! let mut fast = model.runner(&RunOptions::default())?;
//! let input = patterned(model.input().dtype, model.input().elements()).expect("in range");
//! let agreed = verify::again(&mut fast, &input, Engine::Interpreter)?;
//! assert!(agreed.difference.is_none());
//! # Ok::<(), selfsame::Error>(())
//! ```

use selfsame_ir::Tensor;
use selfsame_protocol::Hash;
pub use selfsame_receipt::{Check, Context, Receipt, ReceiptError, Replay, Report, decode};

use crate::error::{OpenError, RunError};
use crate::runner::{Engine, RunOptions, Runner};

/// Why nothing was verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The second engine does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// One of the runs was refused.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The text is no receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

/// Two runs of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Trace root of the runner.
    pub trace_root: Hash,
    /// Root of its output.
    pub output_root: Hash,
    /// Node and flat element of the first difference; `None` if every integer of every node agrees.
    pub difference: Option<(u32, u64)>,
}

/// Runs `input` on `runner` and once more on `engine`, and compares every integer of every node.
pub fn again(runner: &mut Runner, input: &Tensor, engine: Engine) -> Result<Again, VerifyError> {
    let options = RunOptions {
        engine,
        ..RunOptions::default()
    };
    let mut other = runner.model().runner(&options)?;
    let mine = runner.trace(input)?;
    let theirs = other.trace(input)?;
    let output = mine.output(runner.model().program().program().output);
    Ok(Again {
        trace_root: mine.root(),
        output_root: output.map_or(Hash::ZERO, Tensor::root),
        difference: mine.first_difference(&theirs),
    })
}

/// What running the model gives for a receipt: on the input `given`, else the one attached; `None`
/// if there is neither.
pub fn replay(
    runner: &mut Runner,
    receipt: &Receipt,
    given: Option<&[u8]>,
) -> Result<Option<Replay>, RunError> {
    let Some(bytes) = given.or(receipt.input()) else {
        return Ok(None);
    };
    let model_id = runner.model().id();
    let dimensions_hash = runner.model().values().hash();
    // Bytes that are no input of this model can have no output of it.
    let none = Replay {
        model_id,
        dimensions_hash,
        input_root: receipt.core.input_root,
        output_root: Hash::ZERO,
    };
    let Ok(input) = runner.model().tensor_of_bytes(bytes) else {
        return Ok(Some(none));
    };
    let output = runner.output(&input)?;
    Ok(Some(Replay {
        model_id,
        dimensions_hash,
        input_root: input.root(),
        output_root: output.root(),
    }))
}

/// Checks the receipt `text` offline: form, signature, roots and, with a runner of its model and an
/// input (given, or attached), the answer itself. A chain's word on it needs a chain.
pub fn check_receipt(
    text: &str,
    runner: Option<&mut Runner>,
    input: Option<&[u8]>,
) -> Result<Report, VerifyError> {
    let receipt = decode(text)?;
    let replay = match runner {
        Some(runner) => replay(runner, &receipt, input)?,
        None => None,
    };
    let context = Context {
        code: None,
        input,
        replay,
        chain: None,
    };
    Ok(selfsame_receipt::verify(&receipt, &context))
}
