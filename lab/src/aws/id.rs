//! Ids and keys as AWS makes them up. Not for secrets of any worth: the
//! numbers can be foretold from the seed, so that a run can be repeated.

/// A source of ids.
pub struct Ids(u64);

impl Ids {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// As `dxvif-fgk3a9xq`.
    pub fn short(&mut self, kind: &str) -> String {
        format!(
            "{kind}-fg{}",
            self.text(6, b"0123456789abcdefghijklmnopqrstuvwxyz")
        )
    }

    /// As `dxrg-0123456789abcdefg`.
    pub fn long(&mut self, kind: &str) -> String {
        format!(
            "{kind}-{}",
            self.text(17, b"0123456789abcdefghijklmnopqrstuvwxyz")
        )
    }

    pub fn hex(&mut self, length: usize) -> String {
        self.text(length, b"0123456789abcdef")
    }

    /// A version 4 UUID, which gateways, associations and tests are named by.
    pub fn uuid(&mut self) -> String {
        let high = self.next();
        let low = self.next();
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    /// A BGP key as AWS generates one where the request has none.
    pub fn auth_key(&mut self) -> String {
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
        format!("0x{}", self.text(22, alphabet))
    }

    fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length)
            .map(|_| {
                let index = self.next() % alphabet.len() as u64;
                char::from(alphabet[index as usize])
            })
            .collect()
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_that_aws_gives_them_and_differ() {
        let mut ids = Ids::new(7);
        let first = ids.short("dxvif");
        assert_eq!(first.len(), "dxvif-fg123456".len());
        assert_ne!(first, ids.short("dxvif"));
        let uuid = ids.uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
    }
}
