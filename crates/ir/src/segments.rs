//! How a program's nodes are cut into segments: which ones a trace commits to, and which only when a
//! game asks.
//!
//! ```text
//! nodes      0  1  2  3  4  5  6        interior: 1, 2, 4
//! segment    0  1        2     3        committed: 0, 3, 5, 6 (numbers 0, 1, 2, 3)
//! place      0  0' 1' 2  0' 1  0        ': with INTERIOR_BIT
//! ```
//!
//! Spec: programs, 1.22; commitments, 2.3.

use alloc::vec::Vec;
use core::ops::Range;

use selfsame_protocol::constants::{INTERIOR_BIT, SEGMENT_INTERIOR_MAX};

use crate::check::ProgramError;
use crate::program::Node;

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Number of its segment; of a committed node its own number.
    pub segment: u32,
    /// Nodes of the segment before it.
    pub offset: u32,
    /// It is committed to only when a game asks.
    pub interior: bool,
}

impl Place {
    /// The place field of a node leaf.
    pub fn code(self) -> u32 {
        if self.interior {
            INTERIOR_BIT | self.offset
        } else {
            self.offset
        }
    }

    /// What a leaf reads from its fields.
    pub fn from_codes(segment: u32, place: u32) -> Self {
        Self {
            segment,
            offset: place & !INTERIOR_BIT,
            interior: place & INTERIOR_BIT != 0,
        }
    }

    /// How a leaf that reads this node names it.
    pub fn name(self) -> u32 {
        if self.interior {
            self.code()
        } else {
            self.segment
        }
    }
}

/// The segments of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    places: Vec<Place>,
    committed: Vec<u32>,
}

impl Segments {
    /// Checks that `interior` (increasing node indices) may be interior in a program of these nodes.
    pub(crate) fn new(nodes: &[Node], output: u32, interior: &[u32]) -> Result<Self, ProgramError> {
        let last = u32::try_from(nodes.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let mut above = 0;
        for &node in interior {
            if node <= above || node == output || last <= node {
                return Err(ProgramError::Interior { node, last });
            }
            above = node;
        }
        let mut segments = Self {
            places: Vec::with_capacity(nodes.len()),
            committed: Vec::with_capacity(nodes.len() - interior.len()),
        };
        let mut rest = interior.iter().copied().peekable();
        let mut offset = 0;
        for node in 0..=last {
            let place = Place {
                segment: u32::try_from(segments.committed.len()).unwrap_or(u32::MAX),
                offset,
                interior: rest.next_if_eq(&node).is_some(),
            };
            segments.places.push(place);
            if place.interior {
                offset += 1;
            } else {
                if SEGMENT_INTERIOR_MAX < offset {
                    return Err(ProgramError::SegmentLength {
                        node,
                        found: offset,
                    });
                }
                segments.committed.push(node);
                offset = 0;
            }
        }
        segments.check_readers(nodes)?;
        Ok(segments)
    }

    /// An interior node is read in its own segment alone.
    fn check_readers(&self, nodes: &[Node]) -> Result<(), ProgramError> {
        for (node, reader) in (0..).zip(nodes) {
            let segment = self.place(node).segment;
            for &input in &reader.inputs {
                let place = self.place(input);
                if place.interior && place.segment != segment {
                    return Err(ProgramError::Reader { node, input });
                }
            }
        }
        Ok(())
    }

    /// Place of node `node`; that of INPUT where there is no such node.
    pub fn place(&self, node: u32) -> Place {
        self.places.get(node as usize).copied().unwrap_or_default()
    }

    /// The committed nodes, by number.
    pub fn committed(&self) -> &[u32] {
        &self.committed
    }

    /// Some node is interior.
    pub fn any_interior(&self) -> bool {
        self.committed.len() < self.places.len()
    }

    /// The interior nodes of the segment that node `node` is in.
    pub fn interior_around(&self, node: u32) -> Range<u32> {
        self.interior(self.place(node).segment)
    }

    /// The interior nodes of segment `segment`.
    pub fn interior(&self, segment: u32) -> Range<u32> {
        let at = |number: u32| self.committed.get(number as usize).copied();
        let start = segment
            .checked_sub(1)
            .and_then(at)
            .map_or(0, |node| node + 1);
        start..at(segment).unwrap_or(start)
    }
}

/// Puts node indices where the nodes of leaves name their inputs, and gives the interior nodes: what is
/// read back from places. A name that means no earlier node becomes `u32::MAX`, which the check of a
/// program refuses.
pub fn resolve_names(nodes: &mut [Node], places: &[Place]) -> Vec<u32> {
    let mut committed = Vec::new();
    let mut interior = Vec::new();
    let mut start = 0_u32;
    for (index, (node, place)) in (0_u32..).zip(nodes.iter_mut().zip(places)) {
        for input in &mut node.inputs {
            let named = Place::from_codes(0, *input);
            *input = if named.interior {
                start
                    .checked_add(named.offset)
                    .filter(|&source| source < index)
            } else {
                committed.get(named.offset as usize).copied()
            }
            .unwrap_or(u32::MAX);
        }
        if place.interior {
            interior.push(index);
        } else {
            committed.push(index);
            start = index + 1;
        }
    }
    interior
}
