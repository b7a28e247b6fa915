//! Any text as a configuration: every mistake has a place in it, and what has none
//! can be used.

use std::fmt::Write;

use bgp_core::config;
use bgp_core::peer::PeerSettings;

pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::parse(&text) {
        Ok(config) => {
            for peer in config
                .vifs
                .iter()
                .flat_map(|vif| &vif.sessions)
                .chain(&config.peers)
            {
                let settings = PeerSettings::new(peer, config.daemon.router_id, None);
                assert!(!settings.families.is_empty(), "a peer without families");
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused, and nothing is wrong");
            let lines = text.lines().count().max(1) + 1;
            let mut said = String::new();
            for mistake in &mistakes {
                assert!(
                    (1..=lines).contains(&mistake.line),
                    "{mistake:?} of {lines} lines"
                );
                let _ = writeln!(said, "{mistake}");
            }
        }
    }
}
