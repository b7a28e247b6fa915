//! What the watcher of a flight reads: steps with their times, commands with
//! what they print, and what was observed.

use std::time::{Duration, Instant};

pub(super) struct Narrator {
    began: Instant,
    step: Option<Instant>,
    steps: u32,
    title: String,
}

impl Narrator {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            step: None,
            steps: 0,
            title: String::new(),
        }
    }

    pub(super) fn step(&mut self, title: &str) {
        self.end_step();
        self.steps += 1;
        self.step = Some(Instant::now());
        title.clone_into(&mut self.title);
        let heading = format!("── {}. {title} ", self.steps);
        println!(
            "\n{heading}{}",
            "─".repeat(78usize.saturating_sub(heading.chars().count()))
        );
    }

    pub(super) fn end_step(&mut self) {
        if let Some(step) = self.step.take() {
            println!("   ({})", seconds(step.elapsed()));
        }
    }

    /// A command line as a user would type it.
    pub(super) fn command(&self, line: &str) {
        println!("   $ {line}");
    }

    /// What a command printed.
    pub(super) fn output(&self, text: &str) {
        for line in text.trim_end().lines() {
            println!("     {line}");
        }
    }

    pub(super) fn say(&self, text: &str) {
        println!("   {text}");
    }

    pub(super) fn observed(&self, text: &str) {
        println!("   observed: {text}");
    }

    /// How long it has all taken, and what was last begun.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn current(&self) -> String {
        format!("step {}, {}", self.steps, self.title)
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

pub(super) fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.2} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}
