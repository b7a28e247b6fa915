//! Plots over time, as inline SVG.

use std::fmt::Write;

use super::html::escaped;

/// One plot: what is drawn over the same time axis.
pub(super) struct Plot {
    title: String,
    /// Seconds on the axis.
    span: f64,
    top: f64,
    unit: fn(f64) -> String,
    body: String,
    marks: u32,
    legend: Vec<(String, &'static str)>,
}

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 84.0;
const ABOVE: f64 = 26.0;
const BELOW: f64 = 24.0;

/// Told apart by people who don't see all colours.
pub(super) const COLOURS: [&str; 6] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
];

impl Plot {
    /// `top`: the largest value; `unit` writes a value.
    pub(super) fn new(title: &str, span: f64, top: f64, unit: fn(f64) -> String) -> Self {
        Self {
            title: title.to_owned(),
            span: span.max(0.001),
            top: if top > 0.0 { top * 1.05 } else { 1.0 },
            unit,
            body: String::new(),
            marks: 0,
            legend: Vec::new(),
        }
    }

    /// A time with a name.
    pub(super) fn mark(&mut self, at: f64, name: &str) {
        let x = self.x(at);
        // Names of times that are close to each other don't cover each other.
        let row = f64::from(self.marks % 2);
        self.marks += 1;
        let _ = write!(
            self.body,
            "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{ABOVE}\" y2=\"{:.1}\"/>\
             <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            ABOVE + HEIGHT,
            x + 3.0,
            ABOVE + 11.0 + 12.0 * row,
            escaped(name)
        );
    }

    /// A stretch of time, the darker the larger `share` (0 to 1) is.
    pub(super) fn shade(&mut self, from: f64, to: f64, share: f64) {
        let _ = write!(
            self.body,
            "<rect class=\"lost\" x=\"{:.1}\" width=\"{:.1}\" y=\"{ABOVE}\" height=\"{HEIGHT}\" fill-opacity=\"{:.2}\"/>",
            self.x(from),
            (self.x(to) - self.x(from)).max(1.5),
            0.15 + 0.5 * share
        );
    }

    /// From the least to the largest value at a time.
    pub(super) fn bar(&mut self, at: f64, low: f64, high: f64, colour: &str) {
        let (x, from, to) = (self.x(at), self.y(low), self.y(high));
        let _ = write!(
            self.body,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{to:.1}\" stroke=\"{colour}\"/>",
            // A single value is seen too.
            (from + 0.5).max(to + 1.0)
        );
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], colour: &str) {
        let text: Vec<String> = points
            .iter()
            .map(|(at, value)| format!("{:.1},{:.1}", self.x(*at), self.y(*value)))
            .collect();
        let _ = write!(
            self.body,
            "<polyline points=\"{}\" stroke=\"{colour}\"/>",
            text.join(" ")
        );
    }

    pub(super) fn name(&mut self, name: &str, colour: &'static str) {
        self.legend.push((name.to_owned(), colour));
    }

    pub(super) fn svg(&self) -> String {
        let mut axes = String::new();
        for step in 0..=4 {
            let value = self.top * f64::from(step) / 4.0;
            let y = self.y(value);
            let _ = write!(
                axes,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT + WIDTH,
                LEFT - 6.0,
                y + 4.0,
                escaped(&(self.unit)(value))
            );
        }
        for step in 0..=8 {
            let at = self.span * f64::from(step) / 8.0;
            let _ = write!(
                axes,
                "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{at:.1} s</text>",
                self.x(at),
                ABOVE + HEIGHT + 16.0
            );
        }
        let mut x = LEFT + WIDTH;
        let mut legend = String::new();
        for (name, colour) in self.legend.iter().rev() {
            x -= 7.5 * name.chars().count() as f64 + 24.0;
            let _ = write!(
                legend,
                "<rect x=\"{x:.1}\" y=\"6\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"16\">{}</text>",
                x + 16.0,
                escaped(name)
            );
        }
        format!(
            "<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{title}\">\
             <text class=\"title\" x=\"{LEFT}\" y=\"16\">{title}</text>{axes}{}{legend}</svg>\n",
            LEFT + WIDTH + 30.0,
            ABOVE + HEIGHT + BELOW,
            self.body,
            title = escaped(&self.title),
        )
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + WIDTH * (at / self.span).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        ABOVE + HEIGHT * (1.0 - (value / self.top).clamp(0.0, 1.0))
    }
}
