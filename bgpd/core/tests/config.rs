//! Configurations and what is said of them: each `config/NAME.toml` beside its
//! `NAME.expected`. `REFRESH=1 cargo test -p bgp-core --test config` writes the
//! expected files anew; read the difference before committing it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads files"
)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use bgp_core::config::{self, Config};

#[test]
fn every_configuration_gives_what_is_expected() {
    let refresh = std::env::var_os("REFRESH").is_some();
    let mut different = Vec::new();
    for path in configurations("tests/config") {
        let expected_path = path.with_extension("expected");
        let told = tell(&fs::read_to_string(&path).unwrap());
        if refresh {
            fs::write(&expected_path, &told).unwrap();
        } else if fs::read_to_string(&expected_path).unwrap_or_default() != told {
            different.push(format!("{}:\n{told}", expected_path.display()));
        }
    }
    assert!(
        different.is_empty(),
        "refresh with REFRESH=1 if this is right:\n{}",
        different.join("\n")
    );
}

#[test]
fn the_shipped_examples_have_no_mistake() {
    let examples = configurations("../examples");
    assert!(!examples.is_empty());
    for path in examples {
        let mistakes = config::parse(&fs::read_to_string(&path).unwrap()).err();
        assert_eq!(mistakes, None, "{}", path.display());
    }
}

#[test]
fn no_truncation_of_an_example_panics() {
    for path in configurations("../examples")
        .into_iter()
        .chain(configurations("tests/config"))
    {
        let text = fs::read_to_string(&path).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _ = config::parse(&text[..end]);
        }
    }
}

#[test]
fn a_key_in_the_wrong_place_is_not_quoted() {
    let text = "[bgpd]\nrouter_id = \"192.0.2.1\"\nasn = 65010\n[[vif]]\nname = \"a\"\nauth_key = \"S3cr3tKey\"\nauth_key_file = \"S3cr3tKey\"\n";
    let mistakes = config::parse(text).unwrap_err();
    assert!(
        mistakes
            .iter()
            .any(|mistake| mistake.message.contains("auth_key_file"))
    );
    assert!(
        !mistakes
            .iter()
            .any(|mistake| mistake.message.contains("S3cr3t")),
        "{mistakes:?}"
    );
}

fn configurations(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    paths
}

fn tell(text: &str) -> String {
    match config::parse(text) {
        Ok(config) => summary(&config),
        Err(mistakes) => mistakes.iter().fold(String::new(), |mut all, mistake| {
            writeln!(all, "{mistake}").unwrap();
            all
        }),
    }
}

/// A line for each part of the configuration.
fn summary(config: &Config) -> String {
    let mut lines = vec![format!("{:?}", config.daemon)];
    for vif in &config.vifs {
        lines.push(format!(
            "{:?}",
            config::Vif {
                sessions: Vec::new(),
                ..vif.clone()
            }
        ));
        lines.extend(
            vif.sessions
                .iter()
                .map(|session| format!("    {session:?}")),
        );
    }
    lines.extend(config.peers.iter().map(|peer| format!("{peer:?}")));
    lines.extend(config.paths.iter().map(|path| format!("{path:?}")));
    lines.join("\n") + "\n"
}
