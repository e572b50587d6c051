//! A row of the page: an expect, which opens to what was expected and found, its attempts over time, and its own lines.

use maud::{Markup, html};

use crate::engine::events::event::{DiffSign, ExpectResult, State};

use super::super::run_model::{Found, MOST, OverTime, Row, Standing};
use super::super::texts::Lines;
use super::super::times::time;
use super::visible::{fact, mark, text};

/// So many characters of a line are shown.
const LONG: usize = 400;

/// How a row looks.
pub(super) fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Held => "good",
        Standing::Accepted(_) | Standing::Warned(_) | Standing::Assumed => "doubt",
        Standing::Differed => "bad",
        Standing::Unknown => "unknown",
        Standing::Undecided => "undecided",
        Standing::NotReached => "plain",
    }
}

pub(super) fn row(row: Row<'_>, over_time: &OverTime, lines: &Lines) -> Markup {
    let (standing, result, label) = (row.standing(), row.result, row.label());
    let class = class(standing);
    let open = matches!(class, "bad" | "unknown" | "undecided").then_some("");
    let name = label.name.as_deref().or(label.keys);
    html! {
        details class={ "row " (class) } open=[open] {
            summary {
                (mark(class))
                @if let Some(name) = name { b { (text(name)) } " " }
                code { (text(label.words)) }
                // Nobody should have to open a row to learn that.
                @if standing == Standing::NotReached { " " span.now { "not reached" } }
                @if standing == Standing::Undecided { " " span.now { "not decided" } }
                @if let Some(why) = &result.as_of_now { " " span.now { "as of now; " (text(why)) } }
                @if let Some(why) = &result.assumed { " " span.now { "assumed; " (text(why)) } }
            }
            dl {
                (found(row))
                @if let (State::Holds | State::Differs | State::Undecided, Some(reason)) = (result.state, &result.reason) {
                    (fact("because", reason))
                }
                @if let Some(message) = &result.message { (fact("means", message)) }
                @if let Some(risk) = row.risk() { (fact("accepted", risk)) }
                @if let Some(check) = &result.check { (fact("in", check)) }
                (fact("asked", &asked(row)))
                (attempts(over_time, result))
                (place(row, lines))
                (fact("id", row.id()))
            }
        }
        "\n"
    }
}

/// "3 times in 1.2s, within 5s, same request as deploy.up"
fn asked(row: Row<'_>) -> String {
    let took = time(row.result.elapsed);
    let times = match row.times() {
        None => format!("once, {took}"),
        Some(times) => format!("{times} in {took}"),
    };
    let within = row.result.within.map(|within| format!(", within {}", time(within))).unwrap_or_default();
    let shared = row.result.shared.as_ref().map(|shared| format!(", same request as {shared}")).unwrap_or_default();
    format!("{times}{within}{shared}")
}

/// What was expected, and what was found.
fn found(row: Row<'_>) -> Markup {
    let result = row.result;
    if result.state == State::Differs && !result.diff.is_empty() {
        return difference(result);
    }
    html! {
        (fact("expected", &result.expected))
        @match (&result.reason, result.state) {
            (Some(reason), State::Unknown) => (fact("unknown", reason)),
            (_, State::Undecided) => (fact("last seen", &result.actual)),
            _ => (fact("found", &result.actual)),
        }
    }
}

fn difference(result: &ExpectResult) -> Markup {
    html! {
        dt { "difference" }
        dd {
            pre.diff {
                @for line in &result.diff {
                    @let (sign, class) = match line.sign {
                        DiffSign::Expected => ("-", "expected"),
                        DiffSign::Actual => ("+", "found"),
                        DiffSign::Both => (" ", "both"),
                        DiffSign::Skip => ("…", "both"),
                    };
                    span class=(class) { (sign) " " (text(&line.text)) } "\n"
                }
            }
        }
    }
}

/// What was found before the end; nothing where it was asked once.
fn attempts(over_time: &OverTime, result: &ExpectResult) -> Markup {
    let (class, end) = match result.state {
        State::Holds => ("good", "holds"),
        State::Differs => ("bad", "still differs"),
        State::Unknown => ("unknown", "still unknown"),
        State::Undecided => ("undecided", "not decided"),
    };
    html! {
        @if !over_time.found.is_empty() {
            dt { "over time" }
            dd {
                ol.attempts {
                    @for (at, Found { first, last, times, actual }) in over_time.found.iter().enumerate() {
                        @if over_time.left_out > 0 && at == MOST / 2 { li { "… " (over_time.left_out) " more" } }
                        li {
                            span.when {
                                (time(*first))
                                @if *times > 1 { " to " (time(*last)) ", " (times) " times" }
                            }
                            " " code { (text(actual)) }
                        }
                    }
                    li class=(class) { span.when { (time(result.elapsed)) } " " (mark(class)) (end) }
                }
            }
        }
    }
}

/// Where it stands: the author's line first, and those around it; then the lines of the checks that it is inside of.
fn place(row: Row<'_>, lines: &Lines) -> Markup {
    let (file, line) = row.line();
    let inside = row.inside();
    html! {
        (fact("at", &row.at()))
        (own_lines(file, line, lines))
        @if !inside.is_empty() { (fact("inside", &inside.join("\n"))) }
        @if let Some((file, line)) = inside.last().and_then(|place| place.rsplit_once(':')) {
            @if let Ok(line) = line.parse() { (own_lines(file, line, lines)) }
        }
    }
}

/// A line, marked, with those around it.
fn own_lines(file: &str, line: u32, lines: &Lines) -> Markup {
    let mut around = lines.around(file, line, 2, 1).peekable();
    html! {
        @if around.peek().is_some() {
            dt { "lines" }
            dd {
                pre.lines {
                    @for (number, words) in around {
                        @let words = cut(words);
                        @if number == line {
                            mark { (format!("{number:>4}")) "  " (text(words)) } "\n"
                        } @else {
                            (format!("{number:>4}")) "  " (text(words)) "\n"
                        }
                    }
                }
            }
        }
    }
}

/// A line that is longer than anyone reads, as far as it is shown: each row shows some.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}
