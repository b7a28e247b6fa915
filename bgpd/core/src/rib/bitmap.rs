//! A set of prefix indices: one bit each.

#[derive(Clone, Debug, Default)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    ones: usize,
}

impl Bitmap {
    /// Adds an index; whether it was not there.
    pub(super) fn insert(&mut self, index: u32) -> bool {
        let (word, bit) = position(index);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.ones += usize::from(new);
        new
    }

    /// Adds every index below `end`.
    pub(super) fn insert_below(&mut self, end: u32) {
        let (word, bit) = position(end);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[..word].fill(u64::MAX);
        self.words[word] |= bit - 1;
        self.ones = self
            .words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum();
    }

    /// Takes an index out; whether it was there.
    pub(super) fn remove(&mut self, index: u32) -> bool {
        let (word, bit) = position(index);
        let Some(word) = self.words.get_mut(word) else {
            return false;
        };
        let there = *word & bit != 0;
        *word &= !bit;
        self.ones -= usize::from(there);
        there
    }

    pub(super) fn contains(&self, index: u32) -> bool {
        let (word, bit) = position(index);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The first index at or after `from`.
    pub(super) fn next_from(&self, from: u32) -> Option<u32> {
        let (first, bit) = position(from);
        let mut mask = !(bit - 1);
        for (word, at) in self.words.get(first..)?.iter().zip(first..) {
            let left = word & mask;
            if left != 0 {
                return u32::try_from(at * 64)
                    .ok()
                    .map(|base| base + left.trailing_zeros());
            }
            mask = u64::MAX;
        }
        None
    }

    pub(super) const fn len(&self) -> usize {
        self.ones
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.ones == 0
    }
}

const fn position(index: u32) -> (usize, u64) {
    ((index / 64) as usize, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bitmap_is_a_set_of_numbers(
            changes in proptest::collection::vec((any::<bool>(), 0u32..300), 0..200),
            from in 0u32..400,
            below in 0u32..300,
        ) {
            let (mut bitmap, mut model) = (Bitmap::default(), BTreeSet::new());
            for (insert, index) in changes {
                if insert {
                    prop_assert_eq!(bitmap.insert(index), model.insert(index));
                } else {
                    prop_assert_eq!(bitmap.remove(index), model.remove(&index));
                }
            }
            prop_assert_eq!(bitmap.len(), model.len());
            prop_assert_eq!(bitmap.next_from(from), model.range(from..).next().copied());
            prop_assert!((0..300).all(|index| bitmap.contains(index) == model.contains(&index)));
            bitmap.insert_below(below);
            model.extend(0..below);
            prop_assert_eq!(bitmap.len(), model.len());
            prop_assert!((0..300).all(|index| bitmap.contains(index) == model.contains(&index)));
        }
    }
}
