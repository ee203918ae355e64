//! Which nodes of a program a trace commits to, and which only when a game asks.
//!
//! Hashing a transformer's tensors takes as long as computing them, and most of them lie between two
//! values that are read later on: the best cuts are the ones with the fewest bytes. A shortest path over the
//! nodes finds them:
//!
//! ```text
//! least[b] = bytes[b] + min over a of least[a],  (a, b) allowed as the interior of one segment
//! ```
//!
//! A program of few bytes keeps every node committed: its games are a move shorter. Spec: programs, 1.22.

use selfsame_ir::{CheckedProgram, DimValues, Program, ProgramError};
use selfsame_protocol::constants::SEGMENT_INTERIOR_MAX;

/// Bytes of all outputs from which on a program gets interior nodes: some quarter of a millisecond of
/// hashing.
const FROM_BYTES: u64 = 1 << 20;

/// A segment with interior nodes holds at most this share of the multiplications, so that a trace root
/// says something of every part of a run: nobody makes it without having computed so many parts.
const SHARES: u64 = 7;

/// Checks a program, with the interior nodes that suit it.
pub(crate) fn checked(program: Program) -> Result<CheckedProgram, ProgramError> {
    let program = CheckedProgram::new(program)?;
    let interior = interior(&program);
    if interior.is_empty() {
        return Ok(program);
    }
    CheckedProgram::new(Program {
        interior,
        ..program.into_program()
    })
}

/// The nodes between the cheapest cuts, increasing.
fn interior(program: &CheckedProgram) -> Vec<u32> {
    let values = DimValues::maxima(&program.program().symbols);
    let costs = Costs {
        bytes: (0..)
            .zip(program.nodes())
            .map(|(node, _)| program.output_bytes(node, &values))
            .collect(),
        macs: (0..program.nodes().len())
            .map(|node| program.running_macs(node))
            .collect(),
        last_reader: program.program().last_readers(),
        output: program.program().output as usize,
    };
    if costs.bytes.iter().sum::<u64>() < FROM_BYTES {
        return Vec::new();
    }
    costs.interior()
}

/// What decides where a program is cut, node by node.
struct Costs {
    /// Bytes of the output.
    bytes: Vec<u64>,
    /// Multiplications up to and including the node.
    macs: Vec<u64>,
    /// The last node that reads it; itself where none does.
    last_reader: Vec<usize>,
    output: usize,
}

impl Costs {
    /// Whether `node` may be interior to a segment that ends with node `end`.
    fn allows(&self, node: usize, end: usize) -> bool {
        node != self.output && self.last_reader[node] <= end
    }

    /// Whether the nodes behind `before` up to `end` are few enough multiplications for one segment.
    fn is_share(&self, before: usize, end: usize) -> bool {
        let total = self.macs.last().copied().unwrap_or_default();
        self.macs[end] - self.macs[before] <= total / SHARES
    }

    fn interior(&self) -> Vec<u32> {
        let count = self.bytes.len();
        // The least bytes of a trace up to each node, if it is committed, and the committed one before it.
        let mut least = vec![(0_u64, 0_usize); count];
        for end in 1..count {
            let mut best = (least[end - 1].0, end - 1);
            for before in (0..end - 1).rev().take(SEGMENT_INTERIOR_MAX as usize) {
                if !self.allows(before + 1, end) || !self.is_share(before, end) {
                    break;
                }
                if least[before].0 < best.0 {
                    best = (least[before].0, before);
                }
            }
            least[end] = (best.0.saturating_add(self.bytes[end]), best.1);
        }
        let mut committed = vec![false; count];
        let mut at = count - 1;
        while 0 < at {
            committed[at] = true;
            at = least[at].1;
        }
        (1..)
            .zip(&committed[1..])
            .filter_map(|(node, &committed)| (!committed).then_some(node))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use selfsame_ir::{DType, Dim, InputSpec, Interface, Layout, Move, Node, Notes, Op, Ratio};

    use super::*;

    fn program(nodes: Vec<(u32, &[u32])>) -> Program {
        let one = Ratio {
            multiplier: 1,
            shift: 0,
        };
        let node = |(extent, inputs): (u32, &[u32])| {
            let shape = vec![Dim::fixed(extent), Dim::fixed(1024)];
            Node {
                op: if inputs.is_empty() {
                    Op::Input(InputSpec { shape })
                } else {
                    Op::Move(Move::transpose(&[0, 1], shape))
                },
                inputs: inputs.to_vec(),
                dtype: DType::I8,
            }
        };
        Program {
            symbols: Vec::new(),
            output: u32::try_from(nodes.len() - 1).unwrap(),
            nodes: nodes.into_iter().map(node).collect(),
            interior: Vec::new(),
            interface: Interface {
                input_scale: one,
                input: Layout::default(),
                pixels: None,
                output_scale: one,
                output: Layout::default(),
                labels: Vec::new(),
            },
            notes: Notes::default(),
        }
    }

    /// A chain of copies of as many kilobytes each.
    fn chain(kilobytes: u32, length: u32) -> Program {
        let mut nodes: Vec<(u32, &[u32])> = vec![(kilobytes, &[])];
        let inputs: Vec<[u32; 1]> = (0..length).map(|input| [input]).collect();
        nodes.extend(inputs.iter().map(|input| (kilobytes, input.as_slice())));
        program(nodes)
    }

    #[test]
    fn a_program_of_few_bytes_keeps_every_node_committed() {
        let program = checked(chain(64, 14)).unwrap();
        assert!(!program.segments().any_interior());
    }

    #[test]
    fn no_segment_holds_more_than_its_share_of_the_multiplications() {
        let program = checked(chain(64, 70)).unwrap();
        let committed = program.segments().committed();
        assert_eq!(committed.len(), 8, "{committed:?}");
        for pair in committed.windows(2) {
            let macs = |node: u32| program.running_macs(node as usize);
            assert!(macs(pair[1]) - macs(pair[0]) <= program.macs() / SHARES);
        }
    }

    /// The least bytes of all ways to cut, the committed bytes behind INPUT counted.
    fn least_bytes(costs: &Costs) -> u64 {
        let last = costs.bytes.len() - 1;
        let inner = 1..last;
        let ways = 0_u32..1 << inner.len();
        let committed = |way: u32, node: usize| node == last || way >> (node - 1) & 1 == 0;
        let bytes = |way: u32| {
            let mut before = 0;
            let mut bytes = 0;
            for end in (1..=last).filter(|&node| committed(way, node)) {
                let mut inside = before + 1..end;
                let fits = inside.all(|node| costs.allows(node, end));
                let has_interior = before + 1 < end;
                if has_interior && !(fits && costs.is_share(before, end)) {
                    return None;
                }
                bytes += costs.bytes[end];
                before = end;
            }
            Some(bytes)
        };
        ways.filter_map(bytes)
            .min()
            .expect("all committed is one way")
    }

    #[test]
    fn no_way_to_cut_commits_to_fewer_bytes() {
        let mut state = 7_u64;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % bound
        };
        for _ in 0..300 {
            let count = usize::try_from(3 + below(9)).unwrap();
            let mut macs = 0;
            let costs = Costs {
                bytes: (0..count).map(|_| below(100)).collect(),
                macs: (0..count)
                    .map(|_| {
                        macs += below(4) * below(20);
                        macs
                    })
                    .collect(),
                last_reader: (0..count)
                    .map(|node| (node + usize::try_from(below(4)).unwrap()).min(count - 1))
                    .collect(),
                output: count - 1 - usize::try_from(below(2)).unwrap(),
            };
            let interior = costs.interior();
            let committed = (1..).zip(&costs.bytes[1..]);
            let found: u64 = committed
                .filter(|(node, _)| !interior.contains(node))
                .map(|(_, bytes)| bytes)
                .sum();
            assert_eq!(found, least_bytes(&costs));
        }
    }
}
