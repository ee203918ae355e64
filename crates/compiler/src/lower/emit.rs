//! The program under construction: nodes, and where each float value stands in it.

use selfsame_ir::{DType, Dim, Move, Node, Op};

use super::error::CompileError;
use super::layout::Layout;

/// Where a float value stands in the program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Node of the program.
    pub(super) node: u32,
    pub(super) layout: Layout,
    pub(super) dtype: DType,
    /// Real value of one integer unit.
    pub(super) step: f64,
}

/// Nodes made so far.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    pub(super) nodes: Vec<Node>,
    pub(super) names: Vec<String>,
    /// For each node of the program the float node whose value it has, if any.
    pub(super) sources: Vec<Option<Source>>,
}

/// The float value that a node of the program stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Source {
    /// Index in the fused float graph.
    pub(crate) float: usize,
    /// Real value of one integer unit.
    pub(crate) step: f64,
    pub(super) layout: Layout,
}

impl Source {
    /// For each element of the program's tensor, the element of the float graph's.
    pub(crate) fn order(&self, elements: usize) -> Vec<usize> {
        self.layout.source(elements)
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
            layout,
        }));
        Ok(Place {
            node,
            layout,
            dtype,
            step,
        })
    }

    /// The value in another layout, by explicit transpositions where the order differs.
    pub(super) fn arrange(
        &mut self,
        name: &str,
        place: Place,
        wanted: Layout,
    ) -> Result<Place, CompileError> {
        if place.layout == wanted {
            return Ok(place);
        }
        let mut place = place;
        if let Layout::Image {
            channels,
            height,
            width,
        } = place.layout
        {
            let shape = [height, width, channels];
            place = self.transpose(name, place, &shape, &[2, 0, 1], Layout::Flat, None)?;
        }
        if let Layout::Image {
            channels,
            height,
            width,
        } = wanted
        {
            let shape = [channels, height, width];
            place = self.transpose(name, place, &shape, &[1, 2, 0], wanted, None)?;
        }
        Ok(place)
    }

    /// An explicit transposition of a tensor of `shape`.
    pub(super) fn transpose(
        &mut self,
        name: &str,
        place: Place,
        shape: &[usize],
        permutation: &[u8],
        layout: Layout,
        float: Option<usize>,
    ) -> Result<Place, CompileError> {
        let shape = shape.iter().map(|&d| Ok(Dim::fixed(fit(name, d)?)));
        let shape = shape.collect::<Result<_, CompileError>>()?;
        let op = Op::Move(Move::transpose(permutation, shape));
        self.push(
            name,
            op,
            vec![place.node],
            (layout, place.dtype, place.step),
            float,
        )
    }
}

/// A size as the format holds it.
pub(super) fn fit<T: TryFrom<usize>>(name: &str, size: usize) -> Result<T, CompileError> {
    T::try_from(size).map_err(|_| CompileError::Format {
        node: name.to_owned(),
        what: format!("the size {size} is too large for the program format"),
    })
}
