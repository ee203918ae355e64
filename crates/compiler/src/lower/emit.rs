//! The program under construction: nodes, and where each float value stands in it.

use std::collections::BTreeMap;

use selfsame_ir::{DType, Dim, Move, Node, Op};
use selfsame_protocol::constants::RANK_MAX;

use super::error::CompileError;
use super::layout::{Layout, in_two};
use super::rows::RowFactor;

/// Where a float value stands in the program.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Node of the program.
    pub(super) node: u32,
    pub(super) layout: Layout,
    pub(super) dtype: DType,
    /// Real value of one integer unit.
    pub(super) step: f64,
    /// What each row is still to be multiplied by.
    pub(super) factor: Option<RowFactor>,
}

/// Nodes made so far.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    pub(super) nodes: Vec<Node>,
    pub(super) names: Vec<String>,
    /// For each node of the program the float node whose value it has, if any.
    pub(super) sources: Vec<Option<Source>>,
    /// Values that some node reads more coarsely than they stand.
    pub(super) narrowed: Vec<Narrowed>,
    /// Values that were already moved: node, wanted layout, and where it stands so.
    arranged: BTreeMap<(u32, Layout), Arranged>,
    /// Values that were already quantised by rows: node, columns, layout.
    pub(super) quantized: BTreeMap<(u32, usize, Layout), Place>,
}

/// A moved value, and the order that it came from.
#[derive(Debug)]
struct Arranged {
    from: Layout,
    place: Place,
}

/// The float value that a node of the program stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    /// Index in the fused float graph.
    pub(crate) float: usize,
    /// Real value of one integer unit.
    pub(crate) step: f64,
    pub(super) layout: Layout,
}

/// A float value that a node of the program reads more coarsely than the value stands: at `step`, or
/// each row of `columns` with its largest magnitude as 127.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Narrowed {
    /// On one scale.
    Step {
        /// Index in the fused float graph.
        float: usize,
        /// Real value of one integer unit.
        step: f64,
    },
    /// On one scale for each row.
    Rows {
        /// Index in the fused float graph.
        float: usize,
        /// Elements of a row.
        columns: usize,
    },
}

impl Source {
    /// For each element of the program's tensor, the element of the float graph's.
    pub(crate) fn order(&self) -> Vec<usize> {
        self.layout.source()
    }
}

impl Emitter {
    /// Adds a node and says where its value stands.
    pub(super) fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<u32>,
        place: (Layout, DType, f64),
        float: Option<usize>,
    ) -> Result<Place, CompileError> {
        let (layout, dtype, step) = place;
        let node = u32::try_from(self.nodes.len()).map_err(|_| CompileError::Format {
            node: name.to_owned(),
            what: "the program has more than 2^32 nodes".to_owned(),
        })?;
        self.nodes.push(Node { op, inputs, dtype });
        self.names.push(name.to_owned());
        self.sources.push(float.map(|float| Source {
            float,
            step,
            layout: layout.clone(),
        }));
        Ok(Place {
            node,
            layout,
            dtype,
            step,
            factor: None,
        })
    }

    /// Shape of the program's input.
    pub(super) fn input_shape(&self) -> Vec<Dim> {
        match self.nodes.first().map(|node| &node.op) {
            Some(Op::Input(input)) => input.shape.clone(),
            Some(_) | None => Vec::new(),
        }
    }

    /// Axes of the program's input.
    pub(super) fn input_rank(&self) -> usize {
        self.input_shape().len()
    }

    /// The value in another layout, by an explicit move where the order differs.
    pub(super) fn arrange(
        &mut self,
        name: &str,
        place: Place,
        wanted: &Layout,
    ) -> Result<Place, CompileError> {
        if place.layout == *wanted {
            return Ok(place);
        }
        let key = (place.node, wanted.clone());
        if let Some(arranged) = self.arranged.get(&key) {
            // Views of one node may stand in different orders: only the same one is shared.
            if arranged.from == place.layout {
                return Ok(arranged.place.clone());
            }
        }
        let from = place.layout.clone();
        let moved = if let Some((shape, order)) = from.permutation(wanted) {
            self.transpose(name, &place, &shape, &order, wanted)?
        } else {
            // No cut of the axes fits both orders: by way of the float graph's own one.
            let flat = Layout::flat(wanted.source().len());
            let refuse = || CompileError::Format {
                node: name.to_owned(),
                what: "its views cannot be put in order by moves".to_owned(),
            };
            let (shape, order) = from.permutation(&flat).ok_or_else(refuse)?;
            let place = self.transpose(name, &place, &shape, &order, &flat)?;
            let (shape, order) = flat.permutation(wanted).ok_or_else(refuse)?;
            self.transpose(name, &place, &shape, &order, wanted)?
        };
        let place = moved.clone();
        self.arranged.insert(key, Arranged { from, place });
        Ok(moved)
    }

    /// The place of an answer: INPUT itself is none, so a view of it becomes a move of every element
    /// to where it stands.
    pub(super) fn behind_input(&mut self, place: Place) -> Result<Place, CompileError> {
        if place.node != 0 {
            return Ok(place);
        }
        let elements = place.layout.elements();
        let layout = place.layout.clone();
        self.transpose("output", &place, &[elements], &[0], &layout)
    }

    /// An explicit transposition of a tensor of `shape`.
    fn transpose(
        &mut self,
        name: &str,
        place: &Place,
        shape: &[usize],
        permutation: &[u8],
        layout: &Layout,
    ) -> Result<Place, CompileError> {
        if shape.len() > usize::from(RANK_MAX) {
            let [first, (shape, order)] =
                in_two(shape, permutation).ok_or_else(|| CompileError::Format {
                    node: name.to_owned(),
                    what: format!("a transposition of {} axes", shape.len()),
                })?;
            // Nobody else reads the first half, whose order has no name.
            let half = self.transpose(name, place, &first.0, &first.1, layout)?;
            return self.transpose(name, &half, &shape, &order, layout);
        }
        let shape = shape.iter().map(|&d| Ok(Dim::fixed(fit(name, d)?)));
        let shape = shape.collect::<Result<_, CompileError>>()?;
        let op = Op::Move(Move::transpose(permutation, shape));
        let target = (layout.clone(), place.dtype, place.step);
        self.push(name, op, vec![place.node], target, None)
    }
}

/// A size as the format holds it.
pub(super) fn fit<T: TryFrom<usize>>(name: &str, size: usize) -> Result<T, CompileError> {
    T::try_from(size).map_err(|_| CompileError::Format {
        node: name.to_owned(),
        what: format!("the size {size} is too large for the program format"),
    })
}
