//! How a platform writes text that a person gives, so that it can't leave its place.

/// A platform's way with free text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoting {
    /// Put around the text; `None`: it stands bare.
    pub(crate) quote: Option<char>,
    /// Written with a `\` before it.
    pub(crate) escaped: &'static str,
    /// What can't be written at all.
    pub(crate) refused: &'static str,
}

impl Quoting {
    /// The text as the platform wants it, or the first character that it can't have.
    pub(crate) fn write(self, text: &str) -> Result<String, char> {
        let mut written = String::with_capacity(text.len() + 2);
        written.extend(self.quote);
        for c in text.chars() {
            if self.refused.contains(c) || c.is_control() || !c.is_ascii() {
                return Err(c);
            }
            if self.escaped.contains(c) {
                written.push('\\');
            }
            written.push(c);
        }
        written.extend(self.quote);
        Ok(written)
    }
}
