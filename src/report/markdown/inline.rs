//! Words in Markdown: what is text stays text, in a table too (GitHub Flavored Markdown).

use super::super::safe::safe;

/// A heading, with a blank line before and behind it.
pub(super) fn heading(out: &mut String, level: usize, words: &str) {
    while out.ends_with("\n\n") {
        out.pop();
    }
    out.push_str(&format!("\n{} {words}\n\n", "#".repeat(level)));
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
