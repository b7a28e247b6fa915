//! Tables without rules: columns that line up, and that `awk` can read.

use comfy_table::{Cell, ContentArrangement, Row, Table, presets};

/// Rows under a header.
pub(crate) struct Listing(Table);

impl Listing {
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = bare();
        table.set_header(Row::from(header.iter().map(Cell::new).collect::<Vec<_>>()));
        Self(table)
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.0.add_row(cells);
    }

    pub(crate) fn text(&self) -> String {
        unpadded(&self.0)
    }
}

/// A name and its value on each line; absent values are left out.
pub(crate) fn pairs(rows: Vec<(&str, Option<String>)>) -> String {
    let mut table = bare();
    for (name, value) in rows {
        if let Some(value) = value {
            table.add_row(vec![name.to_owned(), value]);
        }
    }
    unpadded(&table)
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn unpadded(table: &Table) -> String {
    table
        .lines()
        .map(|line| {
            line.strip_prefix(' ')
                .unwrap_or(&line)
                .trim_end()
                .to_owned()
                + "\n"
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_trailing_space() {
        let mut listing = Listing::new(&["NAME", "STATE"]);
        listing.row(vec!["a-long-name".into(), "up".into()]);
        assert_eq!(listing.text(), "NAME         STATE\na-long-name  up\n");
    }

    #[test]
    fn absent_values_are_left_out() {
        assert_eq!(
            pairs(vec![("Name", Some("prod".into())), ("MTU", None)]),
            "Name  prod\n"
        );
    }
}
