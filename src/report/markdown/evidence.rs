//! A row of evidence in Markdown: its name, what was expected and found.

use crate::engine::events::event::{DiffSign, ExpectResult, State};

use super::super::run_model::{Row, Standing};
use super::super::safe::safe;
use super::super::times::time;
use super::inline::{cell_code, escaped, short};

/// A row of a table.
pub(super) fn evidence(row: Row<'_>) -> String {
    let result = row.result;
    let mark = match row.standing() {
        Standing::Held | Standing::Assumed => "✅",
        Standing::Accepted(_) => "🟡 accepted",
        Standing::Warned(_) => "⚠️",
        Standing::Differed => "❌",
        Standing::Unknown => "❔ unknown",
        Standing::Undecided => "◌ not decided",
        Standing::NotReached => "· not reached",
    };
    let mut what = format!("{}{}", called(row, cell_code), line(row));
    if let Some(shared) = row.shared() {
        what.push_str(&format!(", same request as {}", escaped(shared)));
    }
    let mut found = match (&result.reason, result.state) {
        (Some(reason), State::Unknown) => escaped(reason),
        // That it is there says enough; what it is, nobody asked.
        (_, State::Holds) if result.expected == "present" => "`present`".to_owned(),
        (Some(reason), State::Differs) => format!("{}, {}", short(&result.actual), escaped(reason)),
        (Some(reason), State::Undecided) => format!("last seen {}, {}", short(&result.actual), escaped(reason)),
        (None, State::Undecided) => format!("last seen {}", short(&result.actual)),
        _ => short(&result.actual),
    };
    for said in result.message.as_deref().into_iter().chain(row.risk()) {
        found.push_str(&format!(" — {}", escaped(said)));
    }
    let times = row.times().map(|times| format!(", asked {times}")).unwrap_or_default();
    let took = format!("{}{times}", time(result.elapsed));
    cells(mark, &what, &short(&result.expected), &found, &took)
}

/// The author's line.
pub(super) fn line(row: Row<'_>) -> String {
    match row.line() {
        (_, 0) => String::new(),
        (_, line) => format!(" (line {line})"),
    }
}

/// The name of a row, its words, the items of its loops.
pub(super) fn called(row: Row<'_>, code: fn(&str) -> String) -> String {
    let label = row.label();
    let keys = label.keys.map(|keys| format!(" {}", code(keys))).unwrap_or_default();
    format!("{}{}{keys}", escaped(&label.prefix()), code(label.words))
}

/// What differs, line by line.
pub(super) fn difference(result: &ExpectResult) -> String {
    let mut lines = Vec::new();
    if result.diff.is_empty() {
        lines.push(format!("- {}", safe(&result.expected)));
        lines.push(format!("+ {}", safe(&result.actual)));
    }
    for line in &result.diff {
        let sign = match line.sign {
            DiffSign::Expected => "-",
            DiffSign::Actual => "+",
            DiffSign::Both => " ",
            DiffSign::Skip => "@@",
        };
        lines.push(format!("{sign} {}", safe(&line.text)));
    }
    lines.join("\n")
}

/// A row of a table, of its cells.
pub(super) fn cells(mark: &str, what: &str, expected: &str, found: &str, took: &str) -> String {
    format!("| {mark} | {what} | {expected} | {found} | {took} |\n")
}
