//! Which buffer each tensor of a plan lies in: those that are not there at the same time share one.
//!
//! A slot of one form keeps its halo, written once; where several forms share a slot, whoever writes to
//! it writes the halo again. Two ways to share are tried: in the order in which tensors come, which
//! prefers memory that was just in use, and the largest tensors first (Pisarchyk and Lee, "Efficient
//! Memory Management for Deep Neural Net Inference", 2020, section 4.3); each with slots of one element
//! type, which mixes fewer forms, and with slots of any. What mixes more is taken where it saves much.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::layout::Place;

/// Bytes that are worth writing halos again: less is not given back to anybody.
const PAGE: usize = 4096;

/// A buffer that several tensors use in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    /// Bytes of the largest tensor, halo included.
    pub(crate) bytes: usize,
    /// The form of the tensor that it holds, or held last.
    pub(crate) place: Place,
    /// Whether it holds tensors of several forms.
    pub(crate) shared: bool,
}

impl Slot {
    fn of(place: Place) -> Self {
        Self {
            bytes: place.bytes(),
            place,
            shared: false,
        }
    }

    /// Holds a tensor of `place`, too.
    fn hold(&mut self, place: Place) {
        self.shared |= self.place != place;
        self.bytes = self.bytes.max(place.bytes());
        self.place = place;
    }

    /// The lower, the better it holds a tensor of `place`: its own form alone; else it is large enough and
    /// the smallest such, else the largest.
    fn rank(&self, place: Place) -> (bool, bool, usize) {
        let bytes = place.bytes();
        let same = self.place == place && !self.shared;
        (!same, self.bytes < bytes, self.bytes.abs_diff(bytes))
    }
}

/// Of how many element types the tensors of a slot are.
#[derive(Debug, Clone, Copy)]
enum Types {
    One,
    Any,
}

impl Types {
    /// Whether `slot` may hold a tensor of `place`.
    fn fit(self, slot: &Slot, place: Place) -> bool {
        match self {
            Self::One => slot.place.dtype == place.dtype,
            Self::Any => true,
        }
    }
}

/// A tensor, and when it is there: from one event until another.
#[derive(Debug, Clone, Copy)]
struct Life {
    place: Place,
    from: usize,
    /// `usize::MAX` for what is there to the end.
    until: usize,
}

/// The tensors of a plan in the order in which they begin.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    lives: Vec<Life>,
    events: usize,
}

/// The slots of a plan, and the one of each tensor.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    pub(crate) slots: Vec<Slot>,
    pub(crate) slot_of: Vec<usize>,
}

impl Lives {
    /// A tensor begins; returns its number.
    pub(crate) fn begin(&mut self, place: Place) -> usize {
        self.lives.push(Life {
            place,
            from: self.events,
            until: usize::MAX,
        });
        self.events += 1;
        self.lives.len() - 1
    }

    /// Nobody reads tensor `index` any more.
    pub(crate) fn end(&mut self, index: usize) {
        self.lives[index].until = self.events;
        self.events += 1;
    }

    /// Tensors with their slots: in order and of one type, unless another way saves an eighth of the bytes, a page
    /// at least.
    pub(crate) fn share(&self) -> Sharing {
        let others = [
            self.by_size(Types::One),
            self.in_order(Types::Any),
            self.by_size(Types::Any),
        ];
        let first = self.in_order(Types::One);
        others.into_iter().fold(first, |best, other| {
            let (bytes, most) = (other.bytes(), best.bytes());
            let saves = bytes.saturating_mul(8) <= most.saturating_mul(7);
            if saves && bytes.saturating_add(PAGE) <= most {
                other
            } else {
                best
            }
        })
    }

    /// Each tensor takes the best free slot when it begins; where none is free, a new one.
    fn in_order(&self, types: Types) -> Sharing {
        let mut sharing = Sharing::default();
        let mut free: Vec<usize> = Vec::new();
        let mut ends: Vec<usize> = (0..self.lives.len()).collect();
        ends.sort_by_key(|&index| self.lives[index].until);
        let mut ends = ends.into_iter().peekable();
        for life in &self.lives {
            while let Some(ended) = ends.next_if(|&index| self.lives[index].until < life.from) {
                free.push(sharing.slot_of[ended]);
            }
            let fits = |&(_, &slot): &(usize, &usize)| types.fit(&sharing.slots[slot], life.place);
            let candidates = free.iter().enumerate().filter(fits);
            let best = candidates.min_by_key(|&(_, &slot)| sharing.slots[slot].rank(life.place));
            let best = best.map(|(at, _)| at);
            let taken = best.map(|at| free.swap_remove(at));
            sharing.slot_of.push(taken.unwrap_or(sharing.slots.len()));
            sharing.hold(taken, life.place);
        }
        sharing
    }

    /// The largest tensors first, each in a slot of which all tensors so far are there at other times.
    fn by_size(&self, types: Types) -> Sharing {
        let mut sharing = Sharing {
            slots: Vec::new(),
            slot_of: vec![0; self.lives.len()],
        };
        // Of each slot the end of every life by its beginning.
        let mut busy: Vec<BTreeMap<usize, usize>> = Vec::new();
        let mut order: Vec<usize> = (0..self.lives.len()).collect();
        order.sort_by_key(|&index| Reverse(self.lives[index].place.bytes()));
        for index in order {
            let life = self.lives[index];
            let fits = |&slot: &usize| {
                let other = busy[slot].range(..life.until).next_back();
                types.fit(&sharing.slots[slot], life.place)
                    && other.is_none_or(|(_, &until)| until < life.from)
            };
            let candidates = (0..sharing.slots.len()).filter(fits);
            let best = candidates.min_by_key(|&slot| sharing.slots[slot].rank(life.place));
            let slot = best.unwrap_or(sharing.slots.len());
            sharing.slot_of[index] = slot;
            sharing.hold(best, life.place);
            busy.resize_with(sharing.slots.len(), BTreeMap::new);
            busy[slot].insert(life.from, life.until);
        }
        sharing
    }
}

impl Sharing {
    /// Lets slot `slot`, or a new one, hold a tensor of `place`.
    fn hold(&mut self, slot: Option<usize>, place: Place) {
        match slot {
            Some(slot) => self.slots[slot].hold(place),
            None => self.slots.push(Slot::of(place)),
        }
    }

    fn bytes(&self) -> usize {
        let bytes = self.slots.iter().map(|slot| slot.bytes);
        bytes.fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use selfsame_ir::DType;
    use selfsame_kernels::Grid;

    use super::*;

    fn place(extent: usize, dtype: DType) -> Place {
        let grid = Grid::new(extent, extent, 4, [1; 4]).expect("small");
        Place { dtype, grid }
    }

    #[test]
    fn a_tensor_goes_to_its_own_form_first_then_to_the_nearest_size() {
        let mut lives = Lives::default();
        let taken = [4, 8, 6].map(|extent| lives.begin(place(extent, DType::I8)));
        for tensor in taken {
            lives.end(tensor);
        }
        let same = lives.begin(place(8, DType::I8));
        for extent in [5, 9, 3] {
            lives.begin(place(extent, DType::I8));
        }
        lives.end(same);
        lives.begin(place(7, DType::I16));
        let Sharing { slots, slot_of } = lives.in_order(Types::Any);
        assert_eq!(slot_of[..3], [0, 1, 2]);
        assert_eq!(slot_of[3], 1, "the same form");
        assert_eq!(slot_of[4], 2, "the smallest that is large enough");
        assert_eq!(slot_of[5], 0, "what is left grows");
        assert_eq!(slot_of[6], 3, "none is free");
        assert_eq!(slot_of[7], 1, "a free one grows, whatever it held");
        let shared: Vec<bool> = slots.iter().map(|slot| slot.shared).collect();
        assert_eq!(shared, [true, true, true, false]);
        assert_eq!(slots[0].bytes, place(9, DType::I8).bytes());
        assert_eq!(slots[1].bytes, place(7, DType::I16).bytes());
        assert_eq!(slots[2].bytes, place(6, DType::I8).bytes());
    }

    #[test]
    fn the_largest_first_where_a_small_tensor_would_hold_the_place_of_a_large_one() {
        let mut lives = Lives::default();
        let [first, second] = [40, 40].map(|extent| lives.begin(place(extent, DType::I16)));
        lives.end(first);
        let small = lives.begin(place(2, DType::I16));
        let third = lives.begin(place(40, DType::I16));
        assert_eq!(lives.in_order(Types::One).slots.len(), 3);
        let Sharing { slots, slot_of } = lives.share();
        let sizes: Vec<usize> = slots.iter().map(|slot| slot.bytes).collect();
        let [large, little] = [40, 2].map(|extent| place(extent, DType::I16).bytes());
        assert_eq!(sizes, [large, large, little]);
        assert_eq!(slot_of[third], slot_of[first]);
        assert_ne!(slot_of[small], slot_of[second]);
    }

    #[test]
    fn no_two_tensors_that_are_there_together_share_a_slot() {
        let mut lives = Lives::default();
        let mut open = Vec::new();
        let mut state = 7_u64;
        for _ in 0..400 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let draw = (state >> 33) as usize;
            if open.is_empty() || !draw.is_multiple_of(5) && open.len() < 9 {
                let dtype = [DType::I8, DType::I16, DType::I32][draw % 3];
                open.push(lives.begin(place(1 + draw / 16 % 12, dtype)));
            } else {
                lives.end(open.swap_remove(draw / 8 % open.len()));
            }
        }
        let ways = [Types::One, Types::Any].into_iter().flat_map(|types| {
            [
                (types, lives.in_order(types)),
                (types, lives.by_size(types)),
            ]
        });
        for (types, Sharing { slots, slot_of }) in ways {
            for (i, a) in lives.lives.iter().enumerate() {
                let slot = slots[slot_of[i]];
                assert!(a.place.bytes() <= slot.bytes);
                assert!(slot.shared || slot.place == a.place);
                assert!(types.fit(&slot, a.place));
                for (j, b) in lives.lives.iter().enumerate().skip(i + 1) {
                    let together = a.from < b.until && b.from < a.until;
                    assert!(!together || slot_of[i] != slot_of[j], "tensors {i} and {j}");
                }
            }
        }
    }
}
