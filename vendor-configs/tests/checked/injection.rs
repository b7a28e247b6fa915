//! Text that somebody gives can't break out of its place: it is refused, or the
//! configuration has the same lines as with a harmless one and its judge takes it.

use std::str::FromStr;
use std::sync::LazyLock;

use bgp_core::config::AuthKey;
use proptest::prelude::*;
use vendor_configs::{
    Backup, KeyText, Mistake, Part, Platform, Router, RouterPlan, SessionKey, Templates, Wanted,
    render,
};

use crate::{cases, judges};

/// A field that takes text: sets it in a plan, if its type takes it at all.
struct Field {
    name: &'static str,
    /// A harmless value that stands nowhere else.
    plain: &'static str,
    set: fn(&mut RouterPlan, &str) -> Option<()>,
}

const FIELDS: [Field; 8] = [
    Field {
        name: "VIF name",
        plain: "zzplain",
        set: |plan, text| word(text).map(|word| plan.links[0].name = word),
    },
    Field {
        name: "VIF identifier",
        plain: "dxvif-zzplain",
        set: |plan, text| word(text).map(|word| plan.links[0].vif_id = Some(word)),
    },
    Field {
        name: "description",
        plain: "zzplain",
        set: |plan, text| word(text).map(|word| plan.links[0].description = Some(word)),
    },
    Field {
        name: "port",
        plain: "zz77",
        set: |plan, text| word(text).map(|word| plan.links[0].parent = Some(word)),
    },
    Field {
        name: "VRF",
        plain: "ZZPLAIN",
        set: |plan, text| word(text).map(|word| plan.links[0].vrf = Some(word)),
    },
    Field {
        name: "host name",
        plain: "zzplain",
        set: |plan, text| word(text).map(|word| plan.hostname = Some(word)),
    },
    Field {
        name: "backup's interface",
        plain: "zz88",
        set: |plan, text| {
            let interface = word(text)?;
            plan.backup = Some(Backup {
                vrf: None,
                gateways: vec!["203.0.113.1".parse().ok()?],
                interface: Some(interface),
                to: Vec::new(),
            });
            Some(())
        },
    },
    Field {
        name: "key",
        plain: "zz-plain-key",
        set: |plan, text| {
            let key = AuthKey::from_file_content(text.to_owned().into()).ok()?;
            plan.links[0].sessions[0].key = SessionKey::Md5(key);
            Some(())
        },
    },
];

fn word<T: FromStr<Err = Mistake>>(text: &str) -> Option<T> {
    text.parse().ok()
}

const HOSTILE: [&str; 34] = [
    "two\nlines",
    "two\r\nlines",
    "quote\"quote",
    "quote'quote",
    "bang!bang",
    "hash#hash",
    "semi;colon",
    "brace{brace",
    "brace}brace",
    "what?what",
    "dollar$HOME",
    "$(reboot)",
    "tick`id`tick",
    "back\\slash",
    "ends with\\",
    "tab\ttab",
    "nul\u{0}nul",
    "bell\u{7}bell",
    "escape\u{1b}[2J",
    "umlaut-äöü",
    "right\u{202e}left",
    "emoji-🦀-crab",
    "line\u{2028}line",
    "star*/star",
    "/*comment",
    "<auth-key>",
    "pipe|pipe",
    "amp&amp",
    "[find]bracket",
    "two  spaces",
    " leading",
    "percent%s%n",
    "a]b,c=d(e)f",
    "exit\n!\nend",
];

static TEMPLATES: LazyLock<Templates> = LazyLock::new(Templates::built_in);

/// The text with this value, or `None` where it is refused.
fn written(platform: Platform, field: &Field, value: &str) -> Option<String> {
    let mut plan = cases::plan(vec![cases::private()]);
    (field.set)(&mut plan, value)?;
    let router = Router::new(plan).ok()?;
    let wanted = Wanted {
        part: Part::Whole,
        form: None,
        keys: KeyText::Reveal,
    };
    render(&router, platform, &TEMPLATES, wanted).ok()
}

/// Whether only what holds the value differs, and only from the value on.
fn same_skeleton(plain_text: &str, plain: &str, text: &str) -> Result<(), String> {
    let (lines, others): (Vec<&str>, Vec<&str>) =
        (plain_text.split('\n').collect(), text.split('\n').collect());
    if lines.len() != others.len() {
        return Err(format!("{} lines instead of {}", others.len(), lines.len()));
    }
    for (line, other) in lines.iter().zip(others) {
        let value = line.to_lowercase().find(&plain.to_lowercase());
        let kept = value.map_or(*line, |at| line[..at].trim_end_matches(['"', '\'']));
        let fits = match value {
            Some(_) => other.starts_with(kept),
            None => other == *line,
        };
        if !fits || other.chars().any(char::is_control) {
            return Err(format!("`{line}` became `{other:?}`"));
        }
    }
    Ok(())
}

/// The harmless text of every field that the platform writes.
struct Plain {
    platform: Platform,
    texts: Vec<(&'static Field, String)>,
}

static PLAIN: LazyLock<Vec<Plain>> = LazyLock::new(|| {
    Platform::all()
        .map(|platform| {
            let texts = FIELDS
                .iter()
                .filter_map(|field| Some((field, written(platform, field, field.plain)?)));
            Plain {
                platform,
                texts: texts.collect(),
            }
        })
        .collect()
});

/// Every text that this value gets into; an error where it breaks out.
fn texts(value: &str) -> Result<Vec<(Platform, &'static Field, String)>, String> {
    let mut found = Vec::new();
    for Plain { platform, texts } in PLAIN.iter() {
        for (field, plain) in texts {
            let Some(text) = written(*platform, field, value) else {
                continue;
            };
            same_skeleton(plain, field.plain, &text)
                .map_err(|error| format!("{platform}, {} {value:?}: {error}", field.name))?;
            found.push((*platform, *field, text));
        }
    }
    Ok(found)
}

#[test]
fn hostile_text_is_refused_or_harmless_and_its_judge_takes_it() {
    for value in HOSTILE {
        for (platform, field, text) in texts(value).unwrap() {
            let complaints = judges::judge(platform.name(), &text);
            assert!(
                complaints.is_empty(),
                "{platform}, {} {value:?}: {complaints:?}",
                field.name
            );
        }
    }
}

#[test]
fn the_harmless_values_are_written() {
    for field in &FIELDS {
        let mut written = 0;
        for (own, text) in PLAIN.iter().flat_map(|plain| &plain.texts) {
            let shows = text.to_lowercase().contains(&field.plain.to_lowercase());
            written += usize::from(own.name == field.name && shows);
        }
        assert!(written >= 4, "{} shows on {written} platforms", field.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_refused_or_harmless(
        value in "[ -~\\PC\\n\\r\\t\u{0}\u{1b}\"'!#;{}?$`\\\\]{1,40}",
        printable in "[ -~]{6,40}",
    ) {
        for value in [value, printable] {
            let outcome = texts(&value).map(drop);
            prop_assert!(outcome.is_ok(), "{outcome:?}");
        }
    }
}
