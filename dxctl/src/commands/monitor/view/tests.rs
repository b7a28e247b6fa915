//! Whole screens, as goldens; `INSTA_UPDATE=always cargo test -p dxctl` writes
//! them again.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, UNIX_EPOCH};

use bgp_core::api::{EventKind, EvidenceItem, Status};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use serde_json::{Value, json};

use super::*;

fn status(rtt: u64, lost: u64) -> Status {
    let peer = |name: &str, state: &str, bfd: Value| {
        json!({
            "name": name, "vif": "prod", "local": null, "remote": "169.254.10.1",
            "local_asn": 65010, "remote_asn": 64512, "state": state, "since": 3700.0, "md5": true,
            "families": ["ipv4"], "flaps": 2, "bfd": bfd,
            "last_error": (state != "Established").then_some("Connection refused (port 179)"),
            "prefixes": { "received": 12, "accepted": 12, "best": 12, "advertised": 1, "stale": 0 },
            "messages": { "updates_received": 2, "updates_sent": 1, "updates_malformed": 0 },
        })
    };
    let bfd = json!({
        "state": "Up", "since": 9.0, "remote_state": "Up", "diagnostic": null,
        "remote_diagnostic": null, "transmit_interval": 300_000, "receive_interval": 300_000,
        "detection_time": 900_000, "multiplier": 3, "authentication": "none", "packets_sent": 10,
        "packets_received": 10, "packets_discarded": 0, "flaps": 0, "damped_for": null,
    });
    serde_json::from_value(json!({
        "version": "0.1.0", "router_id": "10.0.0.1", "asn": 65010, "uptime": 3725.0, "vifs": [],
        "peers": [peer("prod", "Established", bfd), peer("prod-v6", "Active", Value::Null)],
        "paths": [
            { "name": "prod", "interface": "eth1.101", "up": true, "carries": 12,
              "health": { "state": "up", "since": 3700.0, "failures": 0 },
              "probes": [{ "target": "169.254.10.1", "sent": 100, "lost": lost, "rtt_last": rtt,
                           "rtt_min": 380, "rtt_avg": 420, "rtt_max": 1500, "rtt_p99": 1400 }],
              "last_swap": { "age": 61.0, "reason": "BFD down", "groups": 1, "took": 42 } },
            { "name": "prod-v6", "interface": "eth1.101", "up": false, "carries": 0,
              "reason": "session is down",
              "health": { "state": "held", "since": 12.0, "reason": "third failure", "failures": 3,
                          "returns_in": 18.0 } },
            { "name": "internet", "interface": "eth0", "up": true, "carries": 0,
              "drained": "dxctl drain",
              "health": { "state": "up", "since": 90000.0, "failures": 0 } },
        ],
        "kernel": { "routes": 2, "nexthops": 2, "groups": 1, "adopted": 0, "errors": 0,
                    "fast_swap": true },
        "problems": [],
    }))
    .unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_000_000)
}

/// A while with a round trip that rises and falls, and some loss at its end.
fn model() -> Model {
    let mut model = Model::default();
    for second in 0..120u64 {
        let rtt = 400 + 20 * (second % 40).abs_diff(20);
        model.hear(Ok(status(rtt, second / 30)), now());
    }
    let event = |sequence: u64, kind, subject: &str, text: &str| LoggedEvent {
        sequence,
        at: 1_795_000_000.0 - 100.0 + sequence as f64,
        subject: subject.into(),
        kind,
        text: text.into(),
        evidence: vec![EvidenceItem {
            what: "loss".into(),
            value: format!("{sequence} %"),
        }],
    };
    model.hear_events(vec![
        event(1, EventKind::Session, "prod", "Established"),
        event(
            2,
            EventKind::Bfd,
            "prod",
            "Up -> Down: control detection time expired",
        ),
        event(
            3,
            EventKind::Health,
            "prod-v6",
            "down -> held: third failure",
        ),
    ]);
    model
}

fn screen(model: &Model, width: u16, height: u16, colours: Colours) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| draw(frame, model, now(), colours))
        .unwrap();
    terminal
}

fn press(model: &mut Model, code: KeyCode) -> Option<Action> {
    model.press(KeyEvent::from(code))
}

#[test]
fn paths_at_80_by_24() {
    insta::assert_snapshot!(screen(&model(), 80, 24, Colours::Some).backend());
}

#[test]
fn paths_at_120_by_40() {
    insta::assert_snapshot!(screen(&model(), 120, 40, Colours::Some).backend());
}

#[test]
fn sessions_with_bfd_and_errors() {
    let mut model = model();
    press(&mut model, KeyCode::Tab);
    insta::assert_snapshot!(screen(&model, 80, 24, Colours::Some).backend());
}

#[test]
fn events_with_evidence() {
    let mut model = model();
    press(&mut model, KeyCode::Char('3'));
    insta::assert_snapshot!(screen(&model, 80, 14, Colours::Some).backend());
}

#[test]
fn a_bgpd_that_is_gone_is_told_with_the_time_and_the_last_figures_stay() {
    let mut model = model();
    model.hear(
        Err("bgpd is not running".into()),
        now() - Duration::from_secs(30),
    );
    model.hear(Err("bgpd is not running".into()), now());
    let text = screen(&model, 80, 24, Colours::Some).backend().to_string();
    assert!(text.contains("no answer since 11:06:10Z"), "{text}");
    assert!(
        text.contains("bgpd is not running") && text.contains("internet"),
        "{text}"
    );
    model.hear(Ok(status(400, 0)), now());
    let text = screen(&model, 80, 24, Colours::Some).backend().to_string();
    assert!(!text.contains("no answer"), "{text}");
}

#[test]
fn a_restarted_bgpd_begins_its_events_anew() {
    let mut model = model();
    let mut first = model.events.front().unwrap().clone();
    first.text = "started".into();
    model.hear_events(vec![first]);
    assert_eq!(model.events.len(), 1);
}

#[test]
fn without_colours_nothing_is_coloured() {
    let terminal = screen(&model(), 80, 24, Colours::None);
    let cells = &terminal.backend().buffer().content;
    assert!(
        cells
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    let terminal = screen(&model(), 80, 24, Colours::Some);
    let cells = &terminal.backend().buffer().content;
    assert!(cells.iter().any(|cell| cell.fg == Color::Green));
}

#[test]
fn draining_asks_first_and_undrains_what_is_drained() {
    let mut model = model();
    assert_eq!(press(&mut model, KeyCode::Char('d')), None);
    let text = screen(&model, 80, 24, Colours::Some).backend().to_string();
    assert!(text.contains("Move all traffic off prod? y/n"), "{text}");
    assert_eq!(press(&mut model, KeyCode::Char('n')), None);
    assert_eq!(
        press(&mut model, KeyCode::Char('y')),
        None,
        "no longer asked"
    );
    press(&mut model, KeyCode::Char('d'));
    let action = press(&mut model, KeyCode::Char('y'));
    assert_eq!(action, Some(Action::Drain("prod".into())));
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Char('d'));
    let action = press(&mut model, KeyCode::Char('y'));
    assert_eq!(action, Some(Action::Undrain("internet".into())));
}

#[test]
fn a_paused_screen_stands_still() {
    let mut model = model();
    press(&mut model, KeyCode::Char('p'));
    model.hear(Ok(status(999_999, 0)), now());
    let text = screen(&model, 80, 24, Colours::Some).backend().to_string();
    assert!(
        text.contains("paused") && !text.contains("999.99 ms"),
        "{text}"
    );
    press(&mut model, KeyCode::Char('p'));
    model.hear(Ok(status(999_999, 0)), now());
    let text = screen(&model, 80, 24, Colours::Some).backend().to_string();
    assert!(text.contains("999.99 ms"), "{text}");
}

#[test]
fn no_size_is_too_small_and_no_state_too_empty() {
    for mut model in [Model::default(), model()] {
        for part in ['1', '2', '3', '?'] {
            press(&mut model, KeyCode::Char(part));
            for (width, height) in [(1, 1), (5, 2), (20, 5), (79, 3), (10, 60), (300, 100)] {
                screen(&model, width, height, Colours::Some);
            }
        }
    }
}

#[test]
fn keys_quit() {
    let mut model = model();
    assert_eq!(press(&mut model, KeyCode::Char('q')), Some(Action::Quit));
    assert_eq!(press(&mut model, KeyCode::Esc), Some(Action::Quit));
    let control_c = KeyEvent::new(
        KeyCode::Char('c'),
        ratatui::crossterm::event::KeyModifiers::CONTROL,
    );
    press(&mut model, KeyCode::Char('d'));
    assert_eq!(
        model.press(control_c),
        Some(Action::Quit),
        "whatever is asked"
    );
}
