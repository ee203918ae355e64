//! Why a move is refused, by the names of the game contract's custom errors.
//!
//! Random play compares [`Refusal::name`] with the error that the contract reverts with.

use selfsame_commit::MultiProofError;
use selfsame_protocol::Hash;

use crate::board::{Side, Stage};

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $name:ident $({ $($field:ident: $kind:ty),+ })? = $text:literal;)+) => {
        /// A move that the rules refuse. Each variant has the name of the contract's error.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[expect(missing_docs, reason = "the fields are named in the message of each variant")]
        pub enum Refusal {
            $($(#[doc = $doc])+ #[error($text)] $name $({ $($field: $kind),+ })?,)+
        }

        impl Refusal {
            /// The name of the contract's error.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name $({ $($field: _),+ })? => stringify!($name),)+ }
            }
        }
    };
}

refusals! {
    /// The move names another claim.
    WrongClaim { expected: Hash, actual: Hash } = "the move names claim {actual}, the game is about {expected}";
    /// The move was made for another state of the game.
    StaleMove { expected: Hash, actual: Hash } = "the move follows {actual}, the game's head is {expected}; read the game again";
    /// No such game.
    NoGame { index: usize } = "there is no game {index} on this claim";
    /// Games open inside the window only.
    WindowOver { closes_at: u64, now: u64 } = "games open up to {closes_at}, it is {now}";
    /// The claim is convicted.
    AlreadyConvicted = "the claim is convicted already";
    /// The game has ended.
    GameOver = "the game is over";
    /// Only the game's challenger makes this move.
    NotChallenger = "only the game's challenger makes this move; open an own game";
    /// Only the claimant makes this move.
    NotClaimant = "only the claimant makes this move";
    /// Only the claimant, or the address that it named, gives the first answer and opens segments.
    NotAnswerer = "only the claimant or its answerer gives the first answer and opens segments";
    /// The cursor was not opened yet.
    NotOpened = "the cursor was not opened yet; it is the claimant's turn";
    /// The cursor is opened already.
    AlreadyOpened = "the cursor is opened already; it is the challenger's turn";
    /// The game stands elsewhere.
    WrongStage { actual: Stage } = "the game stands at {actual:?}, where this move does not belong";
    /// nameNode needs opened node roots, nameEntry anything else.
    WrongLevel { expected: u32, actual: u32 } = "the opened entries are at level {actual}, not {expected}";
    /// Node 0 is the request's input.
    InputNamed = "node 0 is the request's input, which nobody disputes";
    /// An interior node is named in its segment.
    NodeInterior { node: u32 } = "node {node} is interior; name the committed node of its segment first";
    /// The node is in another segment than the cursor.
    OtherSegment { expected: u64, actual: u64 } = "the node is in segment {actual}, the cursor is segment {expected}";
    /// The index is not below the cursor.
    IndexOutside { first: u64, beyond: u64, actual: u64 } = "index {actual} is not in {first}..{beyond}, which the cursor covers";
    /// A wrong number of entries.
    EntryCount { expected: u64, actual: u64 } = "{actual} entries, the subtree has {expected}";
    /// A wrong number of siblings.
    SiblingCount { expected: usize, actual: usize } = "{actual} siblings, the path needs {expected}";
    /// What was posted hashes to something else.
    WrongHash { expected: Hash, actual: Hash } = "the posted data lead to {actual}, not to {expected}";
    /// INPUT's root in the trace is not the request's.
    InputRoot { expected: Hash, actual: Hash } = "the trace has input root {actual}, the request {expected}";
    /// The output node's root in the trace is not the claim's.
    OutputRoot { expected: Hash, actual: Hash } = "the trace has output root {actual}, the claim {expected}";
    /// The node leaf is not the model's.
    NodeLeafRoot { expected: Hash, actual: Hash } = "the node leaf leads to {actual}, the model has {expected}";
    /// The dimension values are not the request's.
    DimensionsHash = "the dimension values are not those of the request";
    /// A tile of another length.
    TileLength { expected: u64, actual: u64 } = "{actual} bytes, the tile has {expected}";
    /// The element is not in the tile.
    ElementOutsideTile { elements: u64, actual: u64 } = "element {actual} of a tile of {elements} elements";
    /// A wrong number of input roots.
    InputCount { expected: usize, actual: usize } = "{actual} input roots, the node has {expected} distinct inputs";
    /// The input roots do not lead to the trace root.
    TraceRoot { expected: Hash, actual: Hash } = "the input roots lead to {actual}, the claim's trace root is {expected}";
    /// The interior input roots do not lead to the segment root.
    SegmentRoot { expected: Hash, actual: Hash } = "the interior input roots lead to {actual}, the segment root is {expected}";
    /// An input's opening leads to another root than the trace holds.
    OpenedRoot { slot: usize, expected: Hash, actual: Hash } = "the opening of input {slot} leads to {actual}, the trace has {expected}";
    /// The claim is right here.
    ValueAgrees { node: u32, element: u64, value: i64 } = "element {element} of node {node} is {value}, as claimed: no conviction";
    /// A side used more than its clock.
    ClockOver { side: Side, used: u64, clock: u64 } = "the {side:?} used {used} s of {clock} s; timeout is the only move";
    /// Nobody is over its clock.
    ClockRuns { side: Side, used: u64, clock: u64 } = "the {side:?} has used {used} s of {clock} s; wait";
    /// No trace root is stored.
    NoTraceRoot = "no trace root is stored to compare with";
    /// The signed root is the stored one.
    SameRoot { root: Hash } = "the signed root {root} is the stored one";
    /// Settled already.
    AlreadySettled = "the game is settled already";
    /// The game goes on.
    NotSettled = "the game goes on";

    /// One opening for each input and tensor.
    OpeningCount { expected: usize, actual: usize } = "{actual} openings, the node has {expected} inputs and tensors";
    /// An opening of other tiles than the element reads.
    TileBytes { slot: usize, expected: u64, actual: u64 } = "opening {slot} has {actual} tile bytes, the element reads {expected}";
    /// An opening of a tensor leads to another root than the node leaf's.
    TensorRoot { slot: usize, expected: Hash, actual: Hash } = "the opening of tensor {slot} leads to {actual}, the node leaf has {expected}";
    /// The element is not in the node's output.
    ElementOutside { elements: u64, actual: u64 } = "element {actual} of {elements}";
    /// A multiproof's indices and hashes differ in number.
    ProofCount { indices: usize, hashes: usize } = "{indices} indices for {hashes} hashes";
    /// A multiproof's index is out of order or outside.
    ProofIndex { index: u64, leaves: u64 } = "index {index} is out of order or outside {leaves} leaves";
    /// A multiproof lacks siblings.
    ProofSiblingMissing { given: usize } = "the proof needs more than the {given} siblings given";
    /// A multiproof has siblings left over.
    ProofSiblingExtra { used: usize, given: usize } = "the proof uses {used} of {given} siblings";
}

impl From<MultiProofError> for Refusal {
    fn from(error: MultiProofError) -> Self {
        match error {
            MultiProofError::Count { indices, hashes } => Self::ProofCount { indices, hashes },
            MultiProofError::Index { index, leaves } => Self::ProofIndex { index, leaves },
            MultiProofError::Missing { given } => Self::ProofSiblingMissing { given },
            MultiProofError::Extra { used, given } => Self::ProofSiblingExtra { used, given },
        }
    }
}
