//! What changes between two texts, line by line.

/// Lines that go (`-`), come (`+`) and stay, with three that stay around each
/// change. Empty when nothing changes. For small texts: time and memory grow
/// with the product of the line counts.
pub(crate) fn unified(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let lines = edit_script(&old, &new);
    let changed: Vec<usize> = (0..lines.len())
        .filter(|at| !matches!(lines[*at], Line::Same(_)))
        .collect();
    let mut text = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        if !changed.iter().any(|change| change.abs_diff(at) <= CONTEXT) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            text.push_str("…\n");
        }
        let (mark, line) = match line {
            Line::Gone(line) => ('-', line),
            Line::New(line) => ('+', line),
            Line::Same(line) => (' ', line),
        };
        text.push(mark);
        text.push_str(line);
        text.push('\n');
    }
    text
}

const CONTEXT: usize = 3;

enum Line<'a> {
    Gone(&'a str),
    New(&'a str),
    Same(&'a str),
}

/// By the longest common subsequence.
fn edit_script<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(Line::Gone(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(unified("a\nb\n", "a\nb\n"), "");
    }

    #[test]
    fn a_changed_line_goes_and_comes() {
        assert_eq!(unified("a\nb\nc\n", "a\nx\nc\n"), " a\n-b\n+x\n c\n");
    }

    #[test]
    fn far_lines_are_left_out() {
        let old = "1\n2\n3\n4\n5\n6\n";
        let new = "1\n2\n3\n4\n5\n7\n";
        assert_eq!(unified(old, new), "…\n 3\n 4\n 5\n-6\n+7\n");
    }
}
