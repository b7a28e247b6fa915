//! Octets on their way to the peer: whole messages of our own, and those of the
//! router's, which are shared with other sessions and never copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// None of them is empty.
    queue: VecDeque<Bytes>,
    octets: usize,
}

impl Outgoing {
    pub(super) fn push(&mut self, octets: Bytes) {
        if !octets.is_empty() {
            self.octets += octets.len();
            self.queue.push_back(octets);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.octets
    }

    fn chunk(&self) -> &[u8] {
        self.queue.front().map_or(&[], |front| front)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.queue);
        pairs
            .map(|(slice, octets)| *slice = IoSlice::new(octets))
            .count()
    }

    fn advance(&mut self, mut octets: usize) {
        self.octets -= octets;
        while let Some(front) = self.queue.front_mut() {
            if front.len() > octets {
                front.advance(octets);
                return;
            }
            octets -= front.len();
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_leave_in_order_however_many_are_taken_at_a_time() {
        let mut outgoing = Outgoing::default();
        for octets in [&b"abc"[..], b"", b"defg", b"h"] {
            outgoing.push(Bytes::from_static(octets));
        }
        let (mut left, mut taken) = (8, Vec::new());
        for count in [1, 4, 0, 3] {
            assert_eq!(outgoing.remaining(), left);
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = outgoing.chunks_vectored(&mut slices);
            let all: Vec<u8> = slices[..filled]
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect();
            assert_eq!(all.len(), left);
            taken.extend_from_slice(&all[..count]);
            outgoing.advance(count);
            left -= count;
        }
        assert_eq!(taken, b"abcdefgh");
        assert!(outgoing.is_empty());
    }
}
