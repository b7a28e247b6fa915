//! The numbers of targets, by which answers name them.

/// Hands out numbers; 0 is none.
#[derive(Default)]
pub(super) struct Slots {
    last: u16,
}

impl Slots {
    /// Numbers are used again as late as possible: an answer may still come. `None`:
    /// all are taken.
    pub(super) fn next(&mut self, is_taken: impl Fn(u16) -> bool) -> Option<u16> {
        let round = (1..=u16::MAX).cycle().skip(usize::from(self.last));
        let mut round = round.take(usize::from(u16::MAX));
        self.last = round.find(|slot| !is_taken(*slot))?;
        Some(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_and_pass_over_those_taken() {
        let mut slots = Slots { last: u16::MAX - 1 };
        assert_eq!(slots.next(|_| false), Some(u16::MAX));
        assert_eq!(slots.next(|slot| slot < 3), Some(3));
        assert_eq!(slots.next(|_| false), Some(4));
    }

    #[test]
    fn once_all_are_taken_there_is_none() {
        for last in [0, 1, 7, u16::MAX] {
            let mut slots = Slots { last };
            assert_eq!(slots.next(|_| true), None);
            assert_eq!(slots.next(|slot| slot != 7), Some(7), "the only one left");
        }
    }
}
