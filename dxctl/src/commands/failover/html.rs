//! The report as one page that loads nothing from anywhere: text, tables, and
//! plots as inline SVG. All that comes from outside is escaped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::super::events;
use super::course::{Course, Sample};
use super::links::Octets;
use super::plot::{COLOURS, Plot};
use super::preflight::{Fitness, bits};
use super::report::{Report, time};
use super::traffic::Probe;

pub(super) fn page(report: &Report, course: &Course) -> String {
    let verdict = if report.passed { "passed" } else { "failed" };
    let title = escaped(&format!("{} of {}", report.kind, report.vif));
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}: {verdict}</title>\n<style>{STYLE}</style></head>\n<body>\n\
         <h1>{title} <span class=\"{verdict}\">{verdict}</span></h1>\n<p>Began {}; {:.1} s in all.</p>\n",
        escaped(&report.began),
        report.marks.end
    );
    if let Some(what_to_do) = &report.still_running {
        let _ = write!(
            text,
            "<p class=\"failed\">It is still running. {}</p>",
            escaped(what_to_do)
        );
    }
    text.push_str(&checks(report));
    text.push_str(&round_trips(report, course));
    text.push_str(&carried(report, course));
    text.push_str(&throughput(report, course));
    text.push_str(&figures(report));
    text.push_str(&preflight(report));
    text.push_str(&timeline(report));
    text.push_str("</body></html>\n");
    text
}

/// As text and as an attribute's value.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:1060px;margin:2em auto;padding:0 1em}\
h1 span{padding:.1em .5em;border-radius:.3em;color:#fff;font-size:.8em}.passed{background:#00795a}.failed{background:#b3261e;color:#fff}\
p.failed{padding:.6em}table{border-collapse:collapse;margin:1em 0}td,th{text-align:left;padding:.15em .9em .15em 0;vertical-align:top}\
th{border-bottom:1px solid #8888}td.n{text-align:right}td.bad{color:#d0392f;font-weight:bold}pre{white-space:pre-wrap;font-size:13px}\
svg{width:100%;margin:.6em 0}svg text{font:11px system-ui,sans-serif;fill:currentColor}svg .title{font-weight:bold}\
svg .y{text-anchor:end}svg .x{text-anchor:middle}svg .grid{stroke:#8884}svg line,svg polyline{stroke-width:1.2;fill:none}\
svg line.mark{stroke:#888;stroke-dasharray:4 3}svg text.mark{fill:#888}svg .lost{fill:#d0392f}";

fn checks(report: &Report) -> String {
    let mut text = "<h2>Verdict</h2><table>".to_owned();
    let mut row = |passed: bool, what: &str, why: &str| {
        let mark = if passed {
            "<td>ok</td>"
        } else {
            "<td class=\"bad\">failed</td>"
        };
        let _ = write!(
            text,
            "<tr>{mark}<td>{}</td><td>{}</td></tr>",
            escaped(what),
            escaped(why)
        );
    };
    for check in &report.checks {
        row(check.passed, check.what, &check.text);
    }
    for trouble in &report.troubles {
        row(false, trouble, "");
    }
    text + "</table>\n"
}

/// Columns that a plot has at most, however long the course was.
const COLUMNS: usize = 900;

fn round_trips(report: &Report, course: &Course) -> String {
    let mut text = "<h2>Round trips and loss</h2>".to_owned();
    for (target, probes) in &course.probes {
        let probes = probes.as_deref().unwrap_or_default();
        let top = probes
            .iter()
            .filter_map(|probe| probe.rtt)
            .fold(0.0, f64::max);
        let mut plot = Plot::new(
            &format!("Round trip to {target}; red: probes lost"),
            report.marks.end,
            top,
            time,
        );
        for column in columns(probes, report.marks.end) {
            if column.lost > 0 {
                let share = column.lost as f64 / column.sent as f64;
                plot.shade(column.from, column.to, share);
            }
            if let Some((low, high)) = column.range {
                plot.bar((column.from + column.to) / 2.0, low, high, COLOURS[0]);
            }
        }
        marked(&mut plot, report);
        text.push_str(&plot.svg());
    }
    text
}

/// Probes that share a place on the axis.
struct Column {
    from: f64,
    to: f64,
    sent: u64,
    lost: u64,
    /// Of their round trips.
    range: Option<(f64, f64)>,
}

fn columns(probes: &[Probe], span: f64) -> Vec<Column> {
    let width = (span / COLUMNS as f64).max(0.000_001);
    let mut all: BTreeMap<u64, Column> = BTreeMap::new();
    for probe in probes {
        let number = (probe.sent / width).floor();
        let column = all.entry(number as u64).or_insert_with(|| Column {
            from: number * width,
            to: (number + 1.0) * width,
            sent: 0,
            lost: 0,
            range: None,
        });
        column.sent += 1;
        match probe.rtt {
            None => column.lost += 1,
            Some(rtt) => {
                let (low, high) = column.range.unwrap_or((rtt, rtt));
                column.range = Some((low.min(rtt), high.max(rtt)));
            }
        }
    }
    all.into_values().collect()
}

fn marked(plot: &mut Plot, report: &Report) {
    let marks = &report.marks;
    let all = [
        (marks.started, "start"),
        (marks.down, "down"),
        (marks.stopping, "stop"),
        (marks.back, "back"),
    ];
    for (at, name) in all {
        if let Some(at) = at {
            plot.mark(at, name);
        }
    }
}

fn carried(report: &Report, course: &Course) -> String {
    let names: BTreeSet<&String> = course
        .samples
        .iter()
        .flat_map(|sample| sample.carries.keys())
        .collect();
    let series = names.into_iter().map(|name| {
        let value = |sample: &Sample| Some((sample.at, *sample.carries.get(name)? as f64));
        (name, course.samples.iter().filter_map(value).collect())
    });
    let drawn = lines(
        "Prefixes whose traffic each path carries",
        series,
        report,
        |value| format!("{value:.0}"),
    );
    format!("<h2>Which path carries the traffic</h2>{drawn}")
}

fn throughput(report: &Report, course: &Course) -> String {
    let names: BTreeSet<&String> = course
        .samples
        .iter()
        .flat_map(|sample| sample.octets.keys())
        .collect();
    let of = |direction: fn(&Octets) -> u64| {
        let names = names.clone();
        let series = names.into_iter().map(move |name| {
            let rate = |pair: &[Sample]| {
                let [before, now] = pair else { return None };
                let (old, new) = (before.octets.get(name)?, now.octets.get(name)?);
                let octets = direction(new).saturating_sub(direction(old));
                let seconds = (now.at - before.at).max(0.001);
                Some((now.at, octets as f64 * 8.0 / seconds))
            };
            let points: Vec<(f64, f64)> = course.samples.windows(2).filter_map(rate).collect();
            (name, points)
        });
        series.collect::<Vec<_>>()
    };
    let sent = lines("Sent, by interface", of(|octets| octets.sent), report, bits);
    let received = lines(
        "Received, by interface",
        of(|octets| octets.received),
        report,
        bits,
    );
    format!("<h2>Interfaces</h2>{sent}{received}")
}

fn lines<'a>(
    title: &str,
    series: impl IntoIterator<Item = (&'a String, Vec<(f64, f64)>)>,
    report: &Report,
    unit: fn(f64) -> String,
) -> String {
    let series: Vec<_> = series.into_iter().collect();
    let values = series.iter().flat_map(|(_, points)| points);
    let top = values.map(|(_, value)| *value).fold(0.0, f64::max);
    let mut plot = Plot::new(title, report.marks.end, top, unit);
    for ((name, points), colour) in series.iter().zip(COLOURS.into_iter().cycle()) {
        let step = points.len().div_ceil(COLUMNS).max(1);
        let points: Vec<_> = points.iter().step_by(step).copied().collect();
        plot.line(&points, colour);
        plot.name(name, colour);
    }
    marked(&mut plot, report);
    plot.svg()
}

fn figures(report: &Report) -> String {
    let mut text = "<h2>Figures</h2><table><tr><th>part</th><th>for</th><th>target</th><th>sent</th>\
        <th>lost</th><th>longest outage</th><th>RTT min</th><th>p50</th><th>p99</th><th>max</th></tr>"
        .to_owned();
    for part in &report.parts {
        for one in &part.targets {
            let rtt = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), time);
            let cells = [
                format!("{:.1} s", part.to - part.from),
                one.target.to_string(),
                one.sent.to_string(),
                one.lost.to_string(),
                time(one.longest_outage),
                rtt(one.rtt_min),
                rtt(one.rtt_p50),
                rtt(one.rtt_p99),
                rtt(one.rtt_max),
            ];
            let cells: String = cells
                .iter()
                .map(|cell| format!("<td class=\"n\">{}</td>", escaped(cell)))
                .collect();
            let _ = write!(text, "<tr><td>{}</td>{cells}</tr>", escaped(part.name));
        }
    }
    text + "</table>\n"
}

fn preflight(report: &Report) -> String {
    let mut text = "<h2>Beforehand</h2><table>".to_owned();
    for finding in &report.preflight {
        let mark = match finding.verdict {
            Fitness::Fit => "<td>fit</td>",
            Fitness::Doubtful => "<td>doubtful</td>",
            Fitness::Unfit => "<td class=\"bad\">unfit</td>",
        };
        let _ = write!(
            text,
            "<tr>{mark}<td>{}</td><td>{}</td></tr>",
            escaped(finding.what),
            escaped(&finding.text)
        );
    }
    text + "</table>\n"
}

fn timeline(report: &Report) -> String {
    let lines: String = report.events.iter().map(events::lines).collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("<h2>What bgpd saw</h2><pre>{}</pre>\n", escaped(&lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(
            escaped("<b a='1' c=\"2\">&\u{1b}"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}"
        );
    }

    #[test]
    fn a_long_course_has_no_more_columns_than_fit() {
        let probes: Vec<Probe> = (0..100_000)
            .map(|number| Probe {
                sent: f64::from(number) * 0.01,
                rtt: (number % 10 != 0).then_some(0.001),
            })
            .collect();
        let columns = columns(&probes, 1000.0);
        assert!(columns.len() <= COLUMNS + 1, "{}", columns.len());
        let sent: u64 = columns.iter().map(|column| column.sent).sum();
        let lost: u64 = columns.iter().map(|column| column.lost).sum();
        assert_eq!((sent, lost), (100_000, 10_000));
    }
}
