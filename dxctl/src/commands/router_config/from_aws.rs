//! `--from-aws`: the sample that AWS generates, without its secrets.

use bgp_core::config::AuthKey;
use serde_json::json;
use vendor_configs::KeyText;

use crate::aws::{DirectConnect, PeerKey};
use crate::cli::Global;
use crate::commands::find_vif;
use crate::output::note;
use crate::{Refused, Verdict};

pub(super) async fn run(
    vifs: &[String],
    router_type: &str,
    global: &Global,
) -> anyhow::Result<Verdict> {
    let [wanted] = vifs else {
        return Err(Refused::new("--from-aws is for one virtual interface").into());
    };
    let aws = global.aws().await?;
    let vif = find_vif(&aws, wanted).await?;
    let text = aws.router_configuration(&vif.id, router_type).await?;
    let keys: Vec<&AuthKey> = vif
        .peers
        .iter()
        .filter_map(|peer| match &peer.key {
            PeerKey::Known(key) => Some(key),
            PeerKey::Hidden | PeerKey::Unusable(_) => None,
        })
        .collect();
    let text = redact(&text, &keys);
    note(
        "note: AWS's sample announces a default route, filters nothing and knows no IPv6; --platform writes one that doesn't",
    );
    let answer = json!({ "vif": vif.id, "router_type": router_type, "text": text });
    global.reader().show(&answer, |_| text)?;
    Ok(Verdict::Fine)
}

/// Takes out the keys that are known, and whatever stands where keys stand.
fn redact(text: &str, keys: &[&AuthKey]) -> String {
    let mut text = text.to_owned();
    for key in keys {
        let key = key.expose();
        let escaped = key
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        text = text
            .replace(&escaped, KeyText::REDACTED)
            .replace(key, KeyText::REDACTED);
    }
    let mut redacted: String = text.lines().map(|line| without_key(line) + "\n").collect();
    if !text.ends_with('\n') {
        redacted.pop();
    }
    redacted
}

/// `<…auth_key>KEY</…`, and the rest of the line after a word that a key follows.
fn without_key(line: &str) -> String {
    if let Some(at) = line.find("auth_key>")
        && let Some(end) = line.rfind("</")
    {
        let start = at + "auth_key>".len();
        if start <= end {
            return format!("{}{}{}", &line[..start], KeyText::REDACTED, &line[end..]);
        }
    }
    for word in ["password ", "authentication-key ", "secret ", "auth-key "] {
        if let Some(at) = line.to_ascii_lowercase().find(word) {
            return format!("{}{}", &line[..at + word.len()], KeyText::REDACTED);
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key() -> AuthKey {
        AuthKey::from_file_content("a<b&c-canary".to_owned().into()).unwrap()
    }

    #[test]
    fn a_known_key_goes_wherever_it_stands() {
        let text = "x a<b&c-canary\n<k>a&lt;b&amp;c-canary</k>";
        assert_eq!(redact(text, &[&key()]), "x <auth-key>\n<k><auth-key></k>");
    }

    #[test]
    fn an_unknown_key_goes_from_where_keys_stand() {
        for line in [
            "  <bgp_auth_key>canary</bgp_auth_key>",
            " neighbor 169.254.10.1 password canary",
            "    password 0 canary",
            "set neighbor 1.2.3.4 authentication-key \"canary\"",
            "set auth-profile AWS secret canary",
        ] {
            let redacted = redact(line, &[]);
            assert!(!redacted.contains("canary"), "{redacted}");
            assert!(redacted.contains(KeyText::REDACTED), "{redacted}");
        }
        assert_eq!(redact("no key here\n", &[]), "no key here\n");
    }
}
