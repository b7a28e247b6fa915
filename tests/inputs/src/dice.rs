//! Chance that is the same in every run.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.roll().checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }

    pub fn octet(&mut self) -> u8 {
        self.roll().to_be_bytes()[0]
    }

    /// At most `count` of them, in their order.
    pub fn sample<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        let mut left = items.len();
        let mut wanted = count;
        items.retain(|_| {
            let taken = self.below(left) < wanted;
            left -= 1;
            wanted -= usize::from(taken);
            taken
        });
        items
    }
}
