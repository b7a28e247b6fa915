//! Draws the model. A terminal of 80 by 24 has room for everything; smaller
//! ones get what fits.

use std::time::SystemTime;

use bgp_core::api::{Health, LoggedEvent, PathStatus, PeerStatus};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis, Block, Borders, Chart, Clear, Dataset, GraphType, Paragraph, Row, Table, TableState, Wrap,
};

use super::super::daemon::{carrying, loss_percent, spelled};
use super::super::or_dash;
use super::lines::swap_words;
use super::model::{Action, Model, Part};
use crate::output::{ago, microseconds, timestamp};

/// <https://no-color.org>: set and not empty, nothing is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Some,
    None,
}

impl Colours {
    pub(super) fn from_environment() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Self::None,
            _ => Self::Some,
        }
    }

    fn style(self, colour: Color) -> Style {
        match self {
            Self::Some => Style::new().fg(colour),
            Self::None => Style::new(),
        }
    }

    fn health(self, health: Health) -> Style {
        match health {
            Health::Up => self.style(Color::Green),
            Health::Suspect | Health::Recovering | Health::Held => self.style(Color::Yellow),
            Health::Degraded => self.style(Color::Magenta),
            Health::Down => self.style(Color::Red).add_modifier(Modifier::BOLD),
        }
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, now: SystemTime, colours: Colours) {
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ]);
    let [head, tabs, body, foot] = areas.areas(frame.area());
    frame.render_widget(header(model, now, colours), head);
    frame.render_widget(parts(model), tabs);
    match model.part {
        Part::Paths => draw_paths(frame, body, model, colours),
        Part::Sessions => draw_sessions(frame, body, model, colours),
        Part::Events => draw_events(frame, body, model, Evidence::Shown, colours),
    }
    frame.render_widget(footer(model, colours), foot);
    if model.shows_help {
        draw_help(frame);
    }
}

fn header(model: &Model, now: SystemTime, colours: Colours) -> Line<'static> {
    let mut spans = vec![Span::raw(clock(now))];
    if let Some(status) = &model.status {
        let carrying = carrying(status).join(", ");
        let traffic = if carrying.is_empty() {
            Span::styled("no path", colours.health(Health::Down))
        } else {
            Span::styled(carrying, Style::new().add_modifier(Modifier::BOLD))
        };
        spans.push(Span::raw(format!(
            "  AS {}  up {}  traffic: ",
            status.asn,
            ago(status.uptime)
        )));
        spans.push(traffic);
    }
    if let Some((_, since)) = &model.silence {
        let text = format!("  no answer since {}", clock(*since));
        spans.push(Span::styled(text, colours.health(Health::Down)));
    } else if model.is_paused {
        let style = Style::new().add_modifier(Modifier::REVERSED);
        spans.extend([Span::raw("  "), Span::styled("paused", style)]);
    }
    Line::from(spans)
}

/// `hh:mm:ss`, UTC.
fn clock(at: SystemTime) -> String {
    let text = timestamp(at);
    text.get(11..19).unwrap_or_default().to_owned() + "Z"
}

fn parts(model: &Model) -> Line<'static> {
    let mut spans = Vec::new();
    for (number, part) in Part::ALL.into_iter().enumerate() {
        let name = match part {
            Part::Paths => "Paths",
            Part::Sessions => "Sessions",
            Part::Events => "Events",
        };
        let style = if part == model.part {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!(" {} {name} ", number + 1), style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn footer(model: &Model, colours: Colours) -> Line<'static> {
    let warning = colours
        .style(Color::Yellow)
        .add_modifier(Modifier::REVERSED);
    match &model.question {
        Some(Action::Drain(name)) => {
            return Line::styled(format!("Move all traffic off {name}? y/n"), warning);
        }
        Some(Action::Undrain(name)) => {
            return Line::styled(format!("Let {name} carry traffic again? y/n"), warning);
        }
        Some(Action::Quit) | None => {}
    }
    if let Some(text) = &model.message {
        return Line::styled(text.clone(), colours.style(Color::Yellow));
    }
    if let Some((why, _)) = &model.silence {
        return Line::styled(why.clone(), colours.style(Color::Red));
    }
    let problem = model
        .status
        .as_ref()
        .and_then(|status| status.problems.first());
    match problem {
        Some(problem) => Line::styled(problem.clone(), colours.style(Color::Red)),
        None => Line::raw("q quit  Tab part  ↑↓ choose  p pause  d drain  ? help"),
    }
}

fn draw_paths(frame: &mut Frame<'_>, area: Rect, model: &Model, colours: Colours) {
    let rows = u16::try_from(model.paths().len()).unwrap_or(u16::MAX);
    let most = (area.height / 3).max(4);
    let areas = Layout::vertical([
        Constraint::Length(rows.saturating_add(1).min(most)),
        Constraint::Length(1),
        Constraint::Fill(3),
        Constraint::Fill(2),
    ]);
    let [table, detail, plots, events] = areas.areas(area);
    draw_path_table(frame, table, model, colours);
    frame.render_widget(detail_line(model, colours), detail);
    let [rtt, loss] =
        Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(plots);
    draw_rtt(frame, rtt, model, colours);
    draw_loss(frame, loss, model, colours);
    draw_events(frame, events, model, Evidence::Left, colours);
}

fn draw_path_table(frame: &mut Frame<'_>, area: Rect, model: &Model, colours: Colours) {
    let rows = model.paths().iter().map(|path| path_row(path, colours));
    let widths = [
        Constraint::Min(12),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(5),
        Constraint::Length(8),
        Constraint::Length(9),
    ];
    let table = Table::new(rows, widths)
        .header(bold([
            "PATH", "HEALTH", "FOR", "RTT", "P99", "LOSS", "CARRIES", "BACK IN",
        ]))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(model.chosen());
    frame.render_stateful_widget(table, area, &mut state);
}

fn bold<const N: usize>(cells: [&'static str; N]) -> Row<'static> {
    Row::new(cells).style(Style::new().add_modifier(Modifier::BOLD))
}

fn path_row(path: &PathStatus, colours: Colours) -> Row<'static> {
    let probe = path.best_probe();
    let health = if path.drained.is_some() {
        Span::styled("drained", colours.style(Color::Cyan))
    } else {
        let health = path.health.state;
        Span::styled(spelled(&health), colours.health(health))
    };
    let rtt = |value: Option<u64>| or_dash(value.map(microseconds));
    let loss = probe.and_then(loss_percent);
    Row::new([
        Line::raw(path.name.clone()),
        Line::from(health),
        Line::raw(short(path.health.since)),
        Line::raw(rtt(probe.and_then(|probe| probe.rtt_last))),
        Line::raw(rtt(probe.and_then(|probe| probe.rtt_p99))),
        Line::raw(or_dash(loss.map(|percent| format!("{percent:.0} %")))),
        Line::raw(path.carries.to_string()),
        Line::raw(or_dash(path.health.returns_in.map(short))),
    ])
}

/// How long, in its largest unit.
fn short(seconds: f64) -> String {
    let long = ago(seconds);
    let words: Vec<&str> = long.split(' ').take(2).collect();
    words.join(" ")
}

/// What there is to say of the chosen path beyond its row.
fn detail_line(model: &Model, colours: Colours) -> Line<'static> {
    let Some(path) = model.chosen_path() else {
        return Line::raw("bgpd has no path yet");
    };
    let mut words = Vec::new();
    words.extend(path.drained.as_ref().map(|who| format!("drained by {who}")));
    let reason = path.health.reason.as_ref().or(path.reason.as_ref());
    words.extend(reason.filter(|_| path.health.state != Health::Up).cloned());
    words.extend(
        path.last_swap
            .as_ref()
            .map(|swap| format!("moved {}", swap_words(swap))),
    );
    let text = if words.is_empty() {
        "nothing has been moved yet".to_owned()
    } else {
        words.join("; ")
    };
    Line::from(vec![
        Span::raw("› "),
        Span::styled(text, colours.style(Color::Gray)),
    ])
}

fn draw_rtt(frame: &mut Frame<'_>, area: Rect, model: &Model, colours: Colours) {
    let path = model.chosen_path();
    let values: Vec<Option<f64>> = path
        .and_then(|path| model.history.get(&path.name))
        .map(|history| {
            history
                .rtt
                .iter()
                .map(|us| us.map(|us| us as f64))
                .collect()
        })
        .unwrap_or_default();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let name = path.map_or("-", |path| path.name.as_str());
    let top = if most > 0.0 { most * 1.1 } else { 1000.0 };
    let plot = Plot {
        title: format!(" RTT of {name} "),
        top,
        labels: ["0".to_owned(), microseconds(top as u64)],
        style: colours.style(Color::Green),
    };
    draw_plot(frame, area, plot, &values);
}

fn draw_loss(frame: &mut Frame<'_>, area: Rect, model: &Model, colours: Colours) {
    let values: Vec<Option<f64>> = model
        .chosen_path()
        .and_then(|path| model.history.get(&path.name))
        .map(|history| history.loss.iter().copied().collect())
        .unwrap_or_default();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let top = if most > 10.0 { 100.0 } else { 10.0 };
    let plot = Plot {
        title: " loss ".to_owned(),
        top,
        labels: ["0".to_owned(), format!("{top:.0} %")],
        style: colours.style(Color::Red),
    };
    draw_plot(frame, area, plot, &values);
}

struct Plot {
    title: String,
    top: f64,
    labels: [String; 2],
    style: Style,
}

/// The newest at the right edge, two values a column.
fn draw_plot(frame: &mut Frame<'_>, area: Rect, plot: Plot, values: &[Option<f64>]) {
    let room = usize::from(area.width).saturating_sub(12).max(1) * 2;
    let shown = values.iter().rev().take(room).enumerate();
    let points: Vec<(f64, f64)> = shown
        .filter_map(|(age, value)| Some(((room - age) as f64, (*value)?)))
        .collect();
    let data = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(plot.style)
        .data(&points);
    let chart = Chart::new(vec![data])
        .block(Block::new().borders(Borders::TOP).title(plot.title))
        .x_axis(Axis::default().bounds([0.0, room as f64]))
        .y_axis(Axis::default().bounds([0.0, plot.top]).labels(plot.labels));
    frame.render_widget(chart, area);
}

fn draw_sessions(frame: &mut Frame<'_>, area: Rect, model: &Model, colours: Colours) {
    let peers = model
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.peers);
    let rows = peers.iter().map(|peer| session_row(peer, colours));
    let widths = [
        Constraint::Min(12),
        Constraint::Length(11),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(5),
        Constraint::Length(9),
        Constraint::Length(14),
    ];
    let count = u16::try_from(peers.len()).unwrap_or(u16::MAX);
    let [table, errors] = Layout::vertical([
        Constraint::Length(count.saturating_add(1).min(area.height * 2 / 3)),
        Constraint::Min(0),
    ])
    .areas(area);
    let header = bold([
        "SESSION",
        "STATE",
        "FOR",
        "ACCEPTED",
        "SENT",
        "FLAPS",
        "BFD",
        "BFD TIMERS",
    ]);
    frame.render_widget(Table::new(rows, widths).header(header), table);
    let lines: Vec<Line<'_>> = peers.iter().filter_map(error_line).collect();
    let errors_block = Block::new().borders(Borders::TOP).title(" last errors ");
    let text = Paragraph::new(lines)
        .block(errors_block)
        .wrap(Wrap { trim: true });
    frame.render_widget(text, errors);
}

fn session_row(peer: &PeerStatus, colours: Colours) -> Row<'static> {
    let health = if peer.state == "Established" {
        Health::Up
    } else {
        Health::Down
    };
    let bfd = peer.bfd.as_ref();
    let bfd_health = bfd.map_or(Health::Up, |bfd| match bfd.state.as_str() {
        "Up" => Health::Up,
        _ => Health::Suspect,
    });
    let timers = bfd.map(|bfd| {
        let interval = microseconds(bfd.transmit_interval);
        format!("{} × {}", interval.replace(".00", ""), bfd.multiplier)
    });
    Row::new([
        Line::raw(peer.name.clone()),
        Line::styled(peer.state.clone(), colours.health(health)),
        Line::raw(short(peer.since)),
        Line::raw(peer.prefixes.accepted.to_string()),
        Line::raw(peer.prefixes.advertised.to_string()),
        Line::raw(peer.flaps.to_string()),
        Line::styled(
            or_dash(bfd.map(|bfd| &bfd.state)),
            colours.health(bfd_health),
        ),
        Line::raw(or_dash(timers)),
    ])
}

fn error_line(peer: &PeerStatus) -> Option<Line<'static>> {
    let bfd = peer.bfd.as_ref().and_then(|bfd| bfd.diagnostic.as_ref());
    let bfd = bfd.map(|diagnostic| format!("BFD: {diagnostic}"));
    let words: Vec<String> = peer.last_error.iter().cloned().chain(bfd).collect();
    (!words.is_empty()).then(|| Line::raw(format!("{}: {}", peer.name, words.join("; "))))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Evidence {
    Shown,
    Left,
}

fn draw_events(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    evidence: Evidence,
    colours: Colours,
) {
    let block = Block::new()
        .borders(Borders::TOP)
        .title(match model.scrolled {
            0 => " events ".to_owned(),
            rows => format!(" events, {rows} newer ones below "),
        });
    let room = usize::from(block.inner(area).height);
    let scrolled = match evidence {
        Evidence::Shown => model.scrolled,
        Evidence::Left => 0,
    };
    let mut lines: Vec<Line<'_>> = Vec::new();
    for event in model.events.iter().rev().skip(scrolled) {
        let of_event = event_lines(event, evidence, colours);
        if lines.len() + of_event.len() > room {
            break;
        }
        lines.splice(0..0, of_event);
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn event_lines(event: &LoggedEvent, evidence: Evidence, colours: Colours) -> Vec<Line<'static>> {
    let at = std::time::Duration::try_from_secs_f64(event.at).unwrap_or_default();
    let mut lines = vec![Line::from(vec![
        Span::raw(clock(SystemTime::UNIX_EPOCH + at)),
        Span::styled(
            format!(" {:<8} ", spelled(&event.kind)),
            colours.style(Color::Cyan),
        ),
        Span::raw(format!("{}: {}", event.subject, event.text)),
    ])];
    if evidence == Evidence::Shown {
        let items = event.evidence.iter();
        lines.extend(items.map(|item| {
            Line::styled(
                format!("{:19}{}: {}", "", item.what, item.value),
                colours.style(Color::Gray),
            )
        }));
    }
    lines
}

const HELP: &str = "\
q, Esc, Ctrl-C   quit
Tab, 1 2 3       paths, sessions, events
↑ ↓ PgUp PgDn    choose a path; scroll the events
End              the newest events
p, Space         pause and go on
d                drain the chosen path, or undrain it
any key          close this";

fn draw_help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let area = area.centered(Constraint::Length(52), Constraint::Length(9));
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(" keys ");
    frame.render_widget(Paragraph::new(HELP).block(block), area);
}

#[cfg(test)]
mod tests;
