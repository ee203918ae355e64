//! Linear nodes of signed bytes run as words, a strip at a time: [`crate::widen`].

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Linear, Part, Places};
use crate::accumulate::Scratch;
use crate::strip::{BlockWeights, Contraction, Products, STRIP_PIXELS, Session, Span};
use crate::tiles::{self, Engine};
use crate::widen::{Cut, Node, Room, Widen};

/// How a node is run as words.
#[derive(Clone, Copy)]
pub(super) struct Words {
    widen: Widen,
    cut: Cut,
}

/// Rows and columns of positions, counted from the first row of a run.
#[derive(Debug, Clone)]
pub(super) struct Area {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Area {
    fn len(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// The area cut into parts of `size` rows and columns, the last ones smaller.
    fn parts(&self, size: [usize; 2]) -> impl Iterator<Item = Self> {
        let Self { rows, columns } = self.clone();
        rows.clone().step_by(size[0]).flat_map(move |row| {
            let rows = row..rows.end.min(row + size[0]);
            let end = columns.end;
            columns.clone().step_by(size[1]).map(move |column| Self {
                rows: rows.clone(),
                columns: column..end.min(column + size[1]),
            })
        })
    }
}

impl Linear {
    /// How signed bytes are run as words at `rows` by `columns` positions, if that is the better way.
    pub(super) fn words(&self, engine: &Engine, positions: [usize; 2]) -> Option<Words> {
        let packed = &*self.packed;
        let one_group = packed.blocks.iter().all(|block| block.first == 0);
        let (Some(widen), Products::Bytes, true) = (engine.widen, packed.products, one_group)
        else {
            return None;
        };
        let node = Node {
            runs: self.runs.starts.len(),
            run_terms: self.runs.groups() * 4,
            outputs: self.output.channels(),
            block_lanes: packed.vectors_max * engine.lanes,
        };
        let cut = Cut::new(positions, &node, STRIP_PIXELS)?;
        Some(Words { widen, cut })
    }

    /// Runs `blocks` of channels at the positions of `area`, its first row being `first_row` of the
    /// output.
    #[inline(never)]
    pub(super) fn run_words(
        &self,
        input: *const u8,
        places: &Places,
        (first_row, area): (usize, &Area),
        blocks: &Range<usize>,
        Words { widen, cut }: Words,
    ) {
        let mut room = Room::new();
        let (words, block_words) = (room.inputs(), room.weights());
        let terms = self.runs.starts.len() * self.runs.groups() * 4;
        for strip in area.parts(cut.strip) {
            for (position, cell) in strip.parts([1, 1]).enumerate() {
                let row = first_row + cell.rows.start;
                let window = input.wrapping_add(self.window_at(row, cell.columns.start));
                self.widen_window(widen, window, words.wrapping_add(position * terms));
            }
            for index in blocks.clone() {
                let block = &self.packed.blocks[index];
                let bytes = self.packed.block_weights(index);
                // SAFETY: the token proves the instruction set; packing made whole vectors, and a cut
                // fits the room.
                unsafe { (widen.weights)(bytes.weights, terms / 4, block.vectors, block_words) };
                let weights = BlockWeights {
                    products: Products::Widened,
                    weights: block_words.cast(),
                    ..bytes
                };
                let channels = block.channel..block.end;
                self.run_word_strip(words, (&strip, cut), weights, &channels, places);
            }
        }
    }

    /// Makes words of one window, which is one of a position of the output; `to` has room for them.
    fn widen_window(&self, widen: Widen, window: *const u8, to: *mut i16) {
        let run_terms = self.runs.groups() * 4;
        for (run, start) in self.runs.starts.iter().enumerate() {
            let to = to.wrapping_add(run * run_terms);
            // SAFETY: the token proves the instruction set; `Steps::new` proved that the window is
            // inside the input, whose slack is longer than sixteen bytes; a cut fits the room.
            unsafe { (widen.inputs)(window.wrapping_add(*start), run_terms, to) };
        }
    }

    /// Runs one block of channels at the positions of a strip, of which `words` are the inputs.
    fn run_word_strip(
        &self,
        words: *const i16,
        (strip, cut): (&Area, Cut),
        weights: BlockWeights,
        channels: &Range<usize>,
        places: &Places,
    ) {
        let engine = tiles::engine(self.kernel);
        let terms = self.runs.starts.len() * self.runs.groups() * 4;
        let session = Session::default();
        let contraction = Contraction {
            engine: &engine,
            session: &session,
            runs: &[0],
            groups: terms / 2,
            planes: &self.packed.planes,
            pixel_step: 2 * terms,
        };
        let mut scratch = Scratch(MaybeUninit::uninit());
        let sums: *mut i32 = scratch.0.as_mut_ptr().cast();
        let mut first = 0;
        for part in strip.parts(cut.part) {
            let span = Span {
                input: words.wrapping_add(first * terms).cast(),
                count: part.len(),
                row_step: None,
            };
            first += part.len();
            // SAFETY: the token proves the instruction set; the words of these positions, which are
            // neighbours because a part has whole rows of its strip or lies in its only one, and of this
            // block were written by `run_words`.
            unsafe { contraction.sums(weights, span, sums) };
            let part = Part {
                engine: &engine,
                row: part.rows.start,
                lines: part.rows.len(),
                x: part.columns.start,
                pixels: part.columns.len(),
                sums,
            };
            self.finish(weights.vectors, channels.clone(), &part, places);
        }
    }
}
