//! Where a session's MD5 key comes from.

use std::path::{Path, PathBuf};

/// Never the key itself: a site file lies in git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// AWS makes it, and shows it to who may see it.
    Aws,
    /// A file that only its owner can read.
    File(PathBuf),
    /// Made here on first use and kept in the file.
    Generate(PathBuf),
    /// An environment variable of dxctl's.
    Env(String),
}

const FORMS: &str = "write \"aws\", \"file:PATH\", \"generate:PATH\" or \"env:NAME\" (the key itself never stands in a site file)";

/// Never quotes the text: someone may have put a key there.
pub(super) fn parse(text: &str, folder: &Path) -> Result<KeySource, String> {
    let given = |rest: &str| match rest.is_empty() || rest.contains('\0') {
        true => Err(FORMS.to_owned()),
        false => Ok(()),
    };
    match text.split_once(':') {
        None if text == "aws" => Ok(KeySource::Aws),
        Some(("file", path)) => given(path).map(|()| KeySource::File(folder.join(path))),
        Some(("generate", path)) => given(path).map(|()| KeySource::Generate(folder.join(path))),
        Some(("env", name)) => {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            match !name.is_empty() && name.chars().all(fits) {
                true => Ok(KeySource::Env(name.to_owned())),
                false => Err("after `env:` stands the name of a variable".to_owned()),
            }
        }
        _ => Err(FORMS.to_owned()),
    }
}
