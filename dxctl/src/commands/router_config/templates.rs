//! `--template-dir` and `--export-templates`: the user's own templates.

use std::fs;
use std::path::Path;

use anyhow::Context;
use vendor_configs::{Platform, Templates};

use crate::Refused;
use crate::output::note;

/// Ours, and in their place what `directory` has as PLATFORM/PART.j2.
pub(super) fn read(directory: Option<&Path>) -> anyhow::Result<Templates> {
    let mut templates = Templates::built_in();
    let Some(directory) = directory else {
        return Ok(templates);
    };
    let mut replaced = 0;
    for platform in entries(directory)? {
        if !platform.is_dir() {
            continue;
        }
        for file in entries(&platform)? {
            if file.extension().is_none_or(|extension| extension != "j2") {
                continue;
            }
            let name = file.strip_prefix(directory).unwrap_or(&file).display();
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            templates
                .replace(&name.to_string(), text)
                .map_err(|error| Refused::new(format!("{}: {error}", directory.display())))?;
            replaced += 1;
        }
    }
    if replaced == 0 {
        return Err(Refused::new(format!(
            "{} has no template: they stand there as PLATFORM/PART.j2 (--export-templates writes ours)",
            directory.display()
        ))
        .into());
    }
    Ok(templates)
}

/// Never over a file that is there.
pub(super) fn export(platform: Platform, directory: &Path) -> anyhow::Result<()> {
    for (name, text) in Templates::built_in().of(platform) {
        let file = directory.join(name);
        if file.exists() {
            return Err(Refused::new(format!(
                "{} is there already: choose another directory",
                file.display()
            ))
            .into());
        }
        let folder = file.parent().unwrap_or(directory);
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        fs::write(&file, text).with_context(|| file.display().to_string())?;
        note(format_args!("wrote {}", file.display()));
    }
    Ok(())
}

fn entries(directory: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let read = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths = read.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}
