//! The terminal: opened, drawn on, and given back as it was, however this ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bgp_core::api::{Drain, LoggedEvent, Status};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::super::events;
use super::lines::page;
use super::model::{Action, Model};
use super::view::{self, Colours};
use crate::Verdict;
use crate::cli::MonitorArgs;
use crate::control::{Control, ControlError};
use crate::output::print;

/// What can happen.
enum News {
    Status(Result<Status, ControlError>),
    Events(Vec<LoggedEvent>),
    Key(KeyEvent),
    Resized,
    /// What came of a drain.
    Done(String),
}

pub(super) async fn run(args: &MonitorArgs, control: Control) -> anyhow::Result<Verdict> {
    // One that never was is a mistake, and is told where it stays to be read.
    let mut last = Ok(control.status().await?);
    let opened = Opened::new()?;
    let shown = show(args, control, opened, &mut last).await;
    let _left = print(&page(&last, SystemTime::now()));
    shown?;
    Ok(super::verdict(&last))
}

async fn show(
    args: &MonitorArgs,
    control: Control,
    mut opened: Opened,
    last: &mut Result<Status, ControlError>,
) -> anyhow::Result<()> {
    let (sender, mut news) = mpsc::channel(64);
    let asking = tokio::spawn(ask(control.clone(), args.interval, sender.clone()));
    let keys = Keys::listen(sender.clone());
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut closed = signal(SignalKind::hangup())?;
    let colours = Colours::from_environment();
    let mut model = Model::default();
    let mut taken = 0;
    loop {
        let now = SystemTime::now();
        opened
            .terminal
            .draw(|frame| view::draw(frame, &model, now, colours))
            .context("the terminal can't be drawn on")?;
        let heard = tokio::select! {
            heard = news.recv() => heard,
            _ = terminated.recv() => None,
            _ = interrupted.recv() => None,
            _ = closed.recv() => None,
        };
        match heard {
            None => break,
            Some(News::Resized) => {}
            Some(News::Events(events)) => model.hear_events(events),
            Some(News::Done(text)) => model.message = Some(text),
            Some(News::Status(answer)) => {
                let told = answer.as_ref().map_err(ToString::to_string).cloned();
                model.hear(told, SystemTime::now());
                *last = answer;
                taken += 1;
                if args.count.is_some_and(|count| taken >= count) {
                    break;
                }
            }
            Some(News::Key(key)) => match model.press(key) {
                Some(Action::Quit) => break,
                Some(action) => {
                    tokio::spawn(act(action, control.clone(), sender.clone()));
                }
                None => {}
            },
        }
    }
    asking.abort();
    drop(keys);
    Ok(())
}

/// In raw mode, on the second screen; undone on drop. `try_init` sees to it
/// that a panic gives the terminal back before it is told.
struct Opened {
    terminal: DefaultTerminal,
}

impl Opened {
    fn new() -> anyhow::Result<Self> {
        let terminal = ratatui::try_init().context("the terminal can't be used")?;
        Ok(Self { terminal })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _gone = self.terminal.show_cursor();
        ratatui::restore();
    }
}

/// Asks again and again, in a task of its own: a bgpd that doesn't answer keeps
/// no key from being heard.
async fn ask(control: Control, every: Duration, news: mpsc::Sender<News>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut seen = None;
    loop {
        ticks.tick().await;
        let status = control.status().await;
        if status.is_ok()
            && let Ok(events) = events::since(&control, seen).await
            && let Some(latest) = events.last()
        {
            seen = Some(latest.sequence);
            if news.send(News::Events(events)).await.is_err() {
                return;
            }
        }
        if news.send(News::Status(status)).await.is_err() {
            return;
        }
    }
}

async fn act(action: Action, control: Control, news: mpsc::Sender<News>) {
    let (what, done) = match &action {
        Action::Quit => return,
        Action::Drain(name) => {
            let drain = Drain {
                name: name.clone(),
                force: false,
            };
            (format!("drain {name}"), control.drain(&drain).await)
        }
        Action::Undrain(name) => (format!("undrain {name}"), control.undrain(name).await),
    };
    let text = match done {
        Ok(concerned) => format!("{what}: asked for {}", concerned.names.join(", ")),
        Err(error) => format!("{what}: {error}"),
    };
    let _closing = news.send(News::Done(text)).await;
}

/// Reads keys in a thread, until dropped.
struct Keys {
    ending: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keys {
    fn listen(news: mpsc::Sender<News>) -> Self {
        const PATIENCE: Duration = Duration::from_millis(50);
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let heard = match event::poll(PATIENCE) {
                    Ok(false) => continue,
                    Ok(true) => event::read(),
                    Err(error) => Err(error),
                };
                let one = match heard {
                    Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => News::Key(key),
                    Ok(Event::Resize(..)) => News::Resized,
                    Ok(_) => continue,
                    // The terminal is gone; so is the reader of all this.
                    Err(_) => return,
                };
                if news.blocking_send(one).is_err() {
                    return;
                }
            }
        });
        Self {
            ending,
            thread: Some(thread),
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // What it reads later would be missing in the shell.
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
