//! A TCP-MD5 key that shows itself to nobody.

use std::fmt;

use zeroize::Zeroizing;

/// A TCP-MD5 key (RFC 2385), wiped from memory when dropped. Equal keys
/// compare equal so that a reload can tell whether one changed.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthKey(Zeroizing<String>);

/// Why a text is no key. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthKeyError {
    #[error("the key is empty")]
    Empty,
    #[error("the key has {0} characters; AWS takes 6 to 80")]
    Length(usize),
    #[error("the key ends or begins with white space, which AWS's end doesn't have: remove it")]
    Space,
    #[error("the key has a character outside printable ASCII")]
    Character,
}

impl AuthKey {
    /// Takes the content of a key file: one trailing line feed is allowed.
    pub fn from_file_content(content: Zeroizing<String>) -> Result<Self, AuthKeyError> {
        let text = content.strip_suffix('\n').unwrap_or(&content);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(AuthKeyError::Empty);
        }
        if text.trim() != text {
            return Err(AuthKeyError::Space);
        }
        if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(AuthKeyError::Character);
        }
        if !(6..=80).contains(&text.len()) {
            return Err(AuthKeyError::Length(text.len()));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The key itself, for `setsockopt`, a key file or AWS, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(…)")
    }
}
