//! Words and rows in Markdown: what is text stays text, in a table too (GitHub Flavored Markdown).

use crate::engine::events::event::{DiffSign, ExpectResult, Place, State};

use super::super::called::Called;
use super::super::safe::safe;
use super::super::times::time;

pub(super) const HEAD: &str = "|  | what | expected | found | time |\n| --- | --- | --- | --- | --- |\n";

pub(super) fn row(mark: &str, what: &str, expected: &str, found: &str, took: &str) -> String {
    format!("| {mark} | {what} | {expected} | {found} | {took} |\n")
}

pub(super) fn evidence(place: &Place, result: &ExpectResult) -> String {
    let mark = match result.state {
        State::Holds => "✅",
        _ if result.waived => "🟡 accepted",
        _ if result.warn => "⚠️",
        State::Differs => "❌",
        State::Unknown => "❔ unknown",
        State::Undecided => "❔ not decided",
    };
    let what = format!("{}{}", called(place, result, cell_code), line(place, result));
    let mut found = match (&result.reason, result.state) {
        (Some(reason), State::Unknown) => escaped(reason),
        // That it is there says enough; what it is, nobody asked.
        (_, State::Holds) if result.expected == "present" => "`present`".to_owned(),
        (Some(reason), State::Differs) => format!("{}, {}", short(&result.actual), escaped(reason)),
        _ => short(&result.actual),
    };
    if let Some(message) = &result.message {
        found.push_str(&format!(" — {}", escaped(message)));
    }
    if let (true, Some(risk)) = (result.waived, &result.risk) {
        found.push_str(&format!(" — {}", escaped(risk)));
    }
    let took = match result.attempts {
        1 => time(result.elapsed),
        many => format!("{}, asked {many} times", time(result.elapsed)),
    };
    row(mark, &what, &short(&result.expected), &found, &took)
}

/// The line of the runbook that asks it; of a check's row, that which asks the check.
pub(super) fn line(place: &Place, result: &ExpectResult) -> String {
    let asked_at = result.via.last().and_then(|via| via.rsplit_once(':')?.1.parse().ok());
    asked_at.or(place.line).map(|line: u32| format!(" (line {line})")).unwrap_or_default()
}

/// The name of a row, its words, the items of its loops.
pub(super) fn called(place: &Place, result: &ExpectResult, code: fn(&str) -> String) -> String {
    let called = Called::of(place, result);
    let name = called.name.map(|name| format!("{}: ", escaped(name))).unwrap_or_default();
    let keys = called.keys.map(|keys| format!(" {}", code(keys))).unwrap_or_default();
    format!("{name}{}{keys}", code(called.words))
}

/// So many characters of a value stand in a row.
pub(super) const SHORT: usize = 100;

/// Code that stands in a table: there a `|` ends a cell, also in code, unless a `\` stands before it (GitHub Flavored Markdown,
/// section 4.10). Where one stands before it already, what is meant is said by character references.
pub(super) fn cell_code(text: &str) -> String {
    let safe_text = safe(text);
    if !safe_text.contains("\\|") {
        return code(text).replace('|', "\\|");
    }
    let mut out = String::from("<code>");
    for char in safe_text.chars() {
        match char.is_ascii_punctuation() {
            true => out.push_str(&format!("&#{};", char as u32)),
            false => out.push(char),
        }
    }
    out + "</code>"
}

/// A value in a row.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", cell_code(&text[..end])),
        None => cell_code(text),
    }
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

/// Text that Markdown takes as text.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in safe(text).chars() {
        if "\\`*_{}[]<>#|~!@&".contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

/// Code in a line, in more backticks than it holds.
pub(super) fn code(text: &str) -> String {
    let text = safe(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

pub(super) fn fenced(language: &str, text: &str, indent: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let mut out = format!("{indent}{fence}{language}\n");
    for line in text.lines() {
        out.push_str(&format!("{indent}{line}\n"));
    }
    out.push_str(&format!("{indent}{fence}\n"));
    out
}

fn longest_run(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{cell_code, escaped};

    /// The cells of a row, as GitHub takes them apart: at each `|` that no escape takes in.
    fn cells(row: &str) -> usize {
        let mut chars = row.chars();
        let mut count = 1;
        while let Some(char) = chars.next() {
            match char {
                '\\' => drop(chars.next()),
                '|' => count += 1,
                _ => {}
            }
        }
        count
    }

    #[test]
    fn whatever_is_said_stays_in_its_cell() {
        for text in ["a|b", r"a\|b", r"a\\|b", r"(?i)\b(panic|fatal)\b", "`|`", r"\", r"x\", "a\n|b", "<|>", "|"] {
            assert_eq!(cells(&cell_code(text)), 1, "{text}: {}", cell_code(text));
            assert_eq!(cells(&escaped(text)), 1, "{text}: {}", escaped(text));
        }
    }
}
