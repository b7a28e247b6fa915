//! Site files: the examples that ship, every mistake with its place, the schema.
#![allow(clippy::unwrap_used)]

mod common;
mod schema;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Run, run_dxctl, text};
use serde_json::Value;

fn manifest(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn examples() -> Vec<PathBuf> {
    let files = fs::read_dir(manifest("examples")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    files
}

fn validate(file: &Path) -> Run {
    run_dxctl(&["validate", text(file)], &[])
}

fn json(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    serde_json::to_value(toml::from_str::<toml::Value>(&text).unwrap()).unwrap()
}

#[test]
fn the_examples_have_no_mistakes() {
    for file in examples() {
        let run = validate(&file);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.out.contains("no mistakes"), "{run:?}");
    }
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_no_key() {
    let run = validate(&manifest("tests/site/mistakes.toml"));
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(run.out, "", "{run:?}");
    assert!(!run.err.contains("hunter2"), "{run:?}");
    let folder = format!("{}/", env!("CARGO_MANIFEST_DIR"));
    insta::assert_snapshot!("site_mistakes", run.err.replace(&folder, ""));
}

#[test]
fn a_text_that_is_no_toml_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.toml");
    fs::write(&file, "[site]\nname = \"a\nregion = 1\n").unwrap();
    validate(&file).fails(2, "site.toml:2:10: not TOML");
    fs::remove_file(&file).unwrap();
    validate(&file).fails(2, "No such file");
}

#[test]
fn the_schema_takes_the_examples_and_refuses_what_editors_can_see() {
    let shown = run_dxctl(&["validate", "--schema"], &[]).json();
    let schema = schema::Schema::new(&shown);
    for file in examples() {
        assert_eq!(
            schema.mistakes(&json(&file)),
            Vec::<String>::new(),
            "{file:?}"
        );
    }
    let found = schema
        .mistakes(&json(&manifest("tests/site/mistakes.toml")))
        .join("\n");
    insta::assert_snapshot!("site_schema_mistakes", found);
}

/// An editor that knows a key less than dxctl, or one more, misleads.
#[test]
fn the_schema_knows_the_keys_that_dxctl_knows() {
    let shown = run_dxctl(&["validate", "--schema"], &[]).json();
    let lists = ["connection", "lag", "gateway", "vif", "router"];
    for list in lists {
        let of_schema = &shown["$defs"][list]["properties"];
        let mut of_schema: Vec<&str> = of_schema
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        of_schema.sort_unstable();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("site.toml");
        // A key that is near none: dxctl then lists those it knows.
        fs::write(
            &file,
            format!("[site]\nname = \"a\"\n[[{list}]]\nqqqqqqqqqqqq = 1\n"),
        )
        .unwrap();
        let told = validate(&file).err;
        let known = told
            .split("known here: ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        let mut known: Vec<&str> = known.split(", ").collect();
        known.sort_unstable();
        assert_eq!(of_schema, known, "{list}");
    }
}
