//! Where a session's MD5 key comes from.

use std::path::{Path, PathBuf};

use crate::aws::SecretAt;
use crate::key_file;

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
    /// Secrets Manager or Systems Manager.
    Kept(SecretAt),
}

impl KeySource {
    /// For `--explain`.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Aws => key_file::MADE_BY_AWS.to_owned(),
            Self::Generate(path) if !path.exists() => key_file::rules(path),
            Self::File(path) | Self::Generate(path) => format!("taken from {}", path.display()),
            Self::Env(name) => format!("taken from the environment's {name}"),
            Self::Kept(place) => format!("taken from {place}"),
        }
    }
}

const FORMS: &str = "write \"aws\", \"file:PATH\", \"generate:PATH\", \"env:NAME\", \"secretsmanager:NAME-OR-ARN#MEMBER\" or \"ssm:/PATH\" (the key itself never stands in a site file)";

/// Never quotes the text: someone may have put a key there.
pub(crate) fn parse(text: &str, folder: &Path) -> Result<KeySource, String> {
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
        Some((service, rest)) => {
            let kept = SecretAt::parse(service, rest);
            kept.map(KeySource::Kept).ok_or_else(|| FORMS.to_owned())
        }
        None => Err(FORMS.to_owned()),
    }
}
