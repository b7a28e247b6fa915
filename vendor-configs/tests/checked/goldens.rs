//! The reviewed texts beside the templates.

use std::fs;
use std::path::Path;

pub(crate) struct Golden {
    pub(crate) platform: String,
    /// For messages.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn all() -> Vec<Golden> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut goldens = Vec::new();
    for folder in fs::read_dir(source).unwrap() {
        let folder = folder.unwrap();
        let Ok(files) = fs::read_dir(folder.path().join("golden")) else {
            continue;
        };
        let platform = folder.file_name().into_string().unwrap();
        for file in files {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            // What the platform can't do is golden too.
            if text.starts_with("refused: ") {
                continue;
            }
            goldens.push(Golden {
                platform: platform.clone(),
                path: format!("{platform}/{name}"),
                text,
            });
        }
    }
    goldens.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!goldens.is_empty(), "there are no goldens");
    goldens
}
