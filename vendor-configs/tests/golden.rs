//! Every platform × case against the text beside its template.
//! `UPDATE_GOLDEN=1 cargo test -p vendor-configs` writes them anew; read the
//! difference before committing it.

#![allow(clippy::unwrap_used)]

mod cases;

use std::path::{Path, PathBuf};

use vendor_configs::{KeyText, Part, Platform, RenderError, Router, Templates, Wanted, render};

fn whole(router: &Router, platform: Platform, form: Option<&str>) -> Result<String, RenderError> {
    let wanted = Wanted {
        part: Part::Whole,
        form,
        keys: KeyText::Reveal,
    };
    render(router, platform, &Templates::built_in(), wanted)
}

fn folder(platform: Platform) -> PathBuf {
    let folder = format!("src/{platform}/golden");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

#[test]
fn every_platform_writes_every_case_as_reviewed() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differ = Vec::new();
    for platform in Platform::all() {
        std::fs::create_dir_all(folder(platform)).unwrap();
        let forms = std::iter::once(None).chain(platform.forms().map(Some));
        for form in forms {
            for (case, router) in cases::all() {
                let file = match form {
                    None => format!("{case}.txt"),
                    Some(form) => format!("{case}.{form}.txt"),
                };
                // What a platform can't do is golden too.
                let text = match whole(&router, platform, form) {
                    Ok(text) => text,
                    Err(RenderError::Mistakes(mistakes)) => format!("refused: {mistakes}\n"),
                    Err(error) => panic!("{platform}, {case}: {error}"),
                };
                let golden = folder(platform).join(file);
                if update {
                    std::fs::write(&golden, &text).unwrap();
                } else if std::fs::read_to_string(&golden).unwrap_or_default() != text {
                    differ.push(format!("{}:\n{text}", golden.display()));
                }
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
