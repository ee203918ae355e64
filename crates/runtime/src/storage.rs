//! Stored tensors: one buffer each, in the form that kernels read.

use selfsame_ir::{DType, Tensor};
use selfsame_kernels::{Bytes, Grid, Longs, Room, Stored, Words};

use crate::elements::{Elements, ElementsMut, zeros};
use crate::layout::Place;
use crate::slots::Slot;

/// Elements of one stored tensor, halo included. Eight-bit ones are flipped as the kernel says.
#[derive(Debug)]
pub(crate) enum Buffer {
    I8(Bytes),
    I16(Words),
    I32(Longs),
}

impl Default for Buffer {
    /// An empty buffer; does not allocate.
    fn default() -> Self {
        Self::I8(Bytes::default())
    }
}

const WRONG_TYPE: &str = "the plan gives every buffer one element type";

impl Buffer {
    /// A buffer for the tensors of `slot`, with zeros of the form that it held last; lies in `room` if it
    /// fits there.
    pub(crate) fn new(slot: &Slot, flip: u8, room: &Room) -> Self {
        let zero = match slot.place.dtype {
            DType::I8 => flip,
            DType::I16 | DType::I32 => 0,
        };
        Self::I8(Bytes::filled_in(room, slot.bytes, zero)).recast(&slot.place)
    }

    /// The same memory with the type and the length of `place`.
    fn recast(self, place: &Place) -> Self {
        let memory: Bytes = match self {
            Self::I8(cells) => cells,
            Self::I16(cells) => cells.recast(0),
            Self::I32(cells) => cells.recast(0),
        };
        let len = place.grid.len();
        match place.dtype {
            DType::I8 => Self::I8(memory.recast(len)),
            DType::I16 => Self::I16(memory.recast(len)),
            DType::I32 => Self::I32(memory.recast(len)),
        }
    }

    /// A dense buffer with the elements of `tensor`.
    pub(crate) fn holding(tensor: &Tensor, flip: u8) -> Self {
        match tensor {
            Tensor::I8(values) => {
                let mut data = Bytes::filled(values.len(), flip);
                for (to, value) in data.as_mut_slice().iter_mut().zip(values) {
                    *to = value.to_le_bytes()[0] ^ flip;
                }
                Self::I8(data)
            }
            Tensor::I16(values) => {
                let mut data = Words::filled(values.len(), 0);
                data.copy_from_slice(values);
                Self::I16(data)
            }
            Tensor::I32(values) => {
                let mut data = Longs::filled(values.len(), 0);
                data.copy_from_slice(values);
                Self::I32(data)
            }
        }
    }

    /// Makes the buffer one of `place`: its type, its length and its halo. The buffer was made for as
    /// many bytes or more, so that nothing is allocated.
    pub(crate) fn lay_out(&mut self, place: &Place, flip: u8) {
        *self = std::mem::take(self).recast(place);
        match self {
            Self::I8(data) => place.grid.fill_halo(data, flip),
            Self::I16(data) => place.grid.fill_halo(data, 0),
            Self::I32(data) => place.grid.fill_halo(data, 0),
        }
    }

    /// Stored elements.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::I8(data) => data.len(),
            Self::I16(data) => data.len(),
            Self::I32(data) => data.len(),
        }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        match self {
            Self::I8(data) => data,
            Self::I16(_) | Self::I32(_) => panic!("{WRONG_TYPE}"),
        }
    }

    /// Elements that may be multiplied by weights.
    pub(crate) fn stored(&self) -> Stored<'_> {
        match self {
            Self::I8(data) => Stored::Bytes(data),
            Self::I16(data) => Stored::Words(data),
            Self::I32(_) => panic!("{WRONG_TYPE}"),
        }
    }

    /// Elements of 32 bits.
    pub(crate) fn words(&self) -> &[i32] {
        match self {
            Self::I32(data) => data,
            Self::I8(_) | Self::I16(_) => panic!("{WRONG_TYPE}"),
        }
    }

    /// Stores one sample's elements.
    pub(crate) fn store(&mut self, grid: &Grid, flip: u8, from: Elements) {
        match (self, from) {
            (Self::I8(to), Elements::I8(from)) => grid.store(from, flip, to.as_mut_slice()),
            (Self::I16(to), Elements::I16(from)) => {
                for (row, at) in from.chunks_exact(row_of(grid)).zip(row_starts(grid)) {
                    to[at..at + row.len()].copy_from_slice(row);
                }
            }
            (Self::I32(to), Elements::I32(from)) => to.copy_from_slice(from),
            (Self::I8(_) | Self::I16(_) | Self::I32(_), _) => panic!("{WRONG_TYPE}"),
        }
    }

    /// Reads one sample's elements.
    pub(crate) fn load(&self, grid: &Grid, flip: u8, to: ElementsMut) {
        match (self, to) {
            (Self::I8(from), ElementsMut::I8(to)) => grid.load(from.as_slice(), flip, to),
            (Self::I16(from), ElementsMut::I16(to)) => {
                for (row, at) in to.chunks_exact_mut(row_of(grid)).zip(row_starts(grid)) {
                    row.copy_from_slice(&from[at..at + row.len()]);
                }
            }
            (Self::I32(from), ElementsMut::I32(to)) => to.copy_from_slice(from),
            (Self::I8(_) | Self::I16(_) | Self::I32(_), _) => panic!("{WRONG_TYPE}"),
        }
    }

    /// The tensor without halo.
    pub(crate) fn tensor(&self, grid: &Grid, flip: u8) -> Tensor {
        let dtype = match self {
            Self::I8(_) => DType::I8,
            Self::I16(_) => DType::I16,
            Self::I32(_) => DType::I32,
        };
        let mut tensor = zeros(dtype, grid.element_count());
        self.load(grid, flip, (&mut tensor).into());
        tensor
    }

    /// Appends the canonical bytes of the tensor without halo: big-endian, not flipped.
    pub(crate) fn canonical_bytes(&self, grid: &Grid, flip: u8, to: &mut Vec<u8>) {
        match self {
            Self::I8(data) => {
                let row = row_of(grid);
                for start in row_starts(grid) {
                    to.extend(data.as_slice()[start..start + row].iter().map(|b| b ^ flip));
                }
            }
            Self::I16(data) => {
                let row = row_of(grid);
                for start in row_starts(grid) {
                    append(to, &data[start..start + row], i16::to_be_bytes);
                }
            }
            Self::I32(data) => append(to, data, i32::to_be_bytes),
        }
    }
}

/// Appends the bytes of all values; of many at a time, which the compiler turns by vectors.
fn append<T: Copy, const N: usize>(
    to: &mut Vec<u8>,
    values: &[T],
    bytes: impl Fn(T) -> [u8; N] + Copy,
) {
    let (many, rest) = values.as_chunks::<32>();
    for values in many {
        let mut turned = [[0; N]; 32];
        for (to, &value) in turned.iter_mut().zip(values) {
            *to = bytes(value);
        }
        to.extend_from_slice(turned.as_flattened());
    }
    to.extend(rest.iter().flat_map(|&value| bytes(value)));
}

/// Elements of a row without halo.
fn row_of(grid: &Grid) -> usize {
    grid.width() * grid.channels()
}

/// Where the rows without halo start.
fn row_starts(grid: &Grid) -> impl Iterator<Item = usize> {
    (0..grid.height()).map(|y| grid.index(y, 0))
}

/// Copies the flat sequence stored on grid `from` to grid `to` of another shape or halo.
pub(crate) fn copy_flat<T: Copy>(source: &[T], from: &Grid, target: &mut [T], to: &Grid) {
    let (from_row, to_row) = (from.width() * from.channels(), to.width() * to.channels());
    let mut at = 0;
    while at < from.element_count() {
        let (from_x, to_x) = (at % from_row, at % to_row);
        let len = (from_row - from_x).min(to_row - to_x);
        let start = from.index(at / from_row, 0) + from_x;
        let end = to.index(at / to_row, 0) + to_x;
        target[end..end + len].copy_from_slice(&source[start..start + len]);
        at += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_copy_keeps_the_sequence_across_shapes_and_halos() {
        let from = Grid::new(3, 4, 2, [1, 0, 2, 1]).expect("small");
        let to = Grid::new(2, 3, 4, [0, 2, 1, 0]).expect("small");
        let x: Vec<i8> = (0..24).collect();
        let mut source = vec![99; from.len()];
        from.store(&x, 0, &mut source);
        let mut target = vec![0; to.len()];
        copy_flat(&source, &from, &mut target, &to);
        let mut y = vec![0; 24];
        to.load(&target, 0, &mut y);
        assert_eq!(y, x);
    }
}
