//! What the terminal interface shows, and what keys do to it. Pure: answers,
//! keys and times come in.

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use bgp_core::api::{LoggedEvent, PathStatus, Status};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::daemon::loss_percent;

#[derive(Default)]
pub(super) struct Model {
    /// The last answer, however old.
    pub(super) status: Option<Status>,
    /// Why there is no newer one, and since when.
    pub(super) silence: Option<(String, SystemTime)>,
    /// By path.
    pub(super) history: BTreeMap<String, History>,
    /// Oldest first.
    pub(super) events: VecDeque<LoggedEvent>,
    pub(super) part: Part,
    pub(super) is_paused: bool,
    pub(super) shows_help: bool,
    /// Answered by y or anything else.
    pub(super) question: Option<Action>,
    /// What came of the last action.
    pub(super) message: Option<String>,
    chosen: String,
    /// Rows scrolled back, from the newest event.
    pub(super) scrolled: usize,
}

/// One path's figures, a value each sample, the newest last.
#[derive(Default)]
pub(super) struct History {
    /// Microseconds.
    pub(super) rtt: VecDeque<Option<u64>>,
    /// Per cent.
    pub(super) loss: VecDeque<Option<f64>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    #[default]
    Paths,
    Sessions,
    Events,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Paths, Self::Sessions, Self::Events];

    fn next(self) -> Self {
        match self {
            Self::Paths => Self::Sessions,
            Self::Sessions => Self::Events,
            Self::Events => Self::Paths,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Drain(String),
    Undrain(String),
}

/// Samples that are kept: more than the widest screen has columns.
const SAMPLES: usize = 1000;
const EVENTS: usize = 1000;

impl Model {
    pub(super) fn hear(&mut self, answer: Result<Status, String>, now: SystemTime) {
        match answer {
            Ok(status) => {
                self.silence = None;
                if !self.is_paused {
                    self.take(status);
                }
            }
            Err(why) => {
                let since = self.silence.take().map_or(now, |(_, since)| since);
                self.silence = Some((why, since));
            }
        }
    }

    fn take(&mut self, status: Status) {
        let is_gone = |name: &str| status.paths.iter().all(|path| path.name != name);
        self.history.retain(|name, _| !is_gone(name));
        for path in &status.paths {
            let history = self.history.entry(path.name.clone()).or_default();
            let probe = path.best_probe();
            push(&mut history.rtt, probe.and_then(|probe| probe.rtt_last));
            push(&mut history.loss, probe.and_then(loss_percent));
        }
        self.status = Some(status);
    }

    pub(super) fn hear_events(&mut self, events: Vec<LoggedEvent>) {
        // A bgpd that has started anew counts anew.
        let latest = self.latest_event();
        let began_anew = events.first().is_some_and(|event| event.sequence <= latest);
        if began_anew {
            self.events.clear();
        }
        if self.scrolled > 0 {
            self.scrolled += events.len();
        }
        self.events.extend(events);
        while self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }

    pub(super) fn latest_event(&self) -> u64 {
        self.events.back().map_or(0, |event| event.sequence)
    }

    pub(super) fn paths(&self) -> &[PathStatus] {
        self.status.as_ref().map_or(&[], |status| &status.paths)
    }

    /// Which path is looked at: the first until one is chosen.
    pub(super) fn chosen(&self) -> Option<usize> {
        let place = self
            .paths()
            .iter()
            .position(|path| path.name == self.chosen);
        place.or((!self.paths().is_empty()).then_some(0))
    }

    pub(super) fn chosen_path(&self) -> Option<&PathStatus> {
        self.paths().get(self.chosen()?)
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Action> {
        let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if with_control && matches!(key.code, KeyCode::Char('c' | 'q')) {
            return Some(Action::Quit);
        }
        if let Some(action) = self.question.take() {
            let yes = matches!(key.code, KeyCode::Char('y' | 'Y'));
            return yes.then_some(action);
        }
        if std::mem::take(&mut self.shows_help) {
            return None;
        }
        self.message = None;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Action::Quit),
            KeyCode::Char('?' | 'h') => self.shows_help = true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Tab => self.part = self.part.next(),
            KeyCode::BackTab => self.part = self.part.next().next(),
            KeyCode::Char('1') => self.part = Part::Paths,
            KeyCode::Char('2') => self.part = Part::Sessions,
            KeyCode::Char('3') => self.part = Part::Events,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-10),
            KeyCode::PageDown => self.step(10),
            KeyCode::End => self.scrolled = 0,
            KeyCode::Char('d') => self.ask_to_drain(),
            _ => {}
        }
        None
    }

    fn ask_to_drain(&mut self) {
        let action = self.chosen_path().map(|path| match path.drained {
            Some(_) => Action::Undrain(path.name.clone()),
            None => Action::Drain(path.name.clone()),
        });
        self.question = action;
    }

    /// Among the paths, or back in the events.
    fn step(&mut self, by: isize) {
        if self.part == Part::Events {
            let most = self.events.len().saturating_sub(1);
            self.scrolled = self.scrolled.saturating_add_signed(-by).min(most);
            return;
        }
        let last = self.paths().len().saturating_sub(1);
        let place = self
            .chosen()
            .unwrap_or(0)
            .saturating_add_signed(by)
            .min(last);
        if let Some(path) = self.paths().get(place) {
            self.chosen = path.name.clone();
        }
    }
}

fn push<T>(values: &mut VecDeque<T>, value: T) {
    if values.len() == SAMPLES {
        values.pop_front();
    }
    values.push_back(value);
}
