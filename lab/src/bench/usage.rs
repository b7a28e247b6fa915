//! What a process and its children have used, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// In user and kernel space, all threads.
    pub cpu: Duration,
    /// The most memory that was resident at any time, in octets: of several
    /// processes the sum of what each had at most (VmHWM).
    pub peak_memory: u64,
    /// Resident now, in octets (VmRSS).
    pub memory: u64,
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            cpu: sum.cpu + one.cpu,
            peak_memory: sum.peak_memory + one.peak_memory,
            memory: sum.memory + one.memory,
        })
    }
}

/// What a process and its children have used so far; of children that were
/// already waited for, nothing.
pub fn of(pid: u32) -> anyhow::Result<Usage> {
    let own = one(pid)?;
    let children = children(pid).into_iter().filter_map(|child| of(child).ok());
    Ok(std::iter::once(own).chain(children).sum())
}

fn one(pid: u32) -> anyhow::Result<Usage> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::read_to_string(&path).with_context(|| format!("reading {path}: has it ended?"))
    };
    let (stat, status) = (read("stat")?, read("status")?);
    let ticks = ticks(&stat).context("/proc/PID/stat is not as expected")?;
    Ok(Usage {
        cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        peak_memory: kilobytes(&status, "VmHWM:")?,
        memory: kilobytes(&status, "VmRSS:")?,
    })
}

/// A line of /proc/PID/status, in octets.
fn kilobytes(status: &str, key: &str) -> anyhow::Result<u64> {
    let found = status.lines().find_map(|line| line.strip_prefix(key));
    let number = found.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Ok(number.with_context(|| format!("/proc/PID/status has no {key}"))? * 1024)
}

/// USER_HZ: 100 on every architecture that Linux has.
const TICKS_PER_SECOND: u64 = 100;

/// utime and stime (fields 14 and 15), behind the command's name in
/// parentheses, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_commands_name() {
        let stat = "1 (a) b) S 2 3 4 5 6 7 8 9 10 11 100 23 0 0 20 0";
        assert_eq!(ticks(stat), Some(123));
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = of(std::process::id());
        assert!(usage.is_ok_and(|usage| usage.peak_memory > 100_000));
    }
}
