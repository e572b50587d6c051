//! A row of the page: an expect, which opens to what was expected and found, its attempts over time, and its own lines.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::engine::events::event::{DiffSign, ExpectResult, Place, Seconds, State, expect_of};

use super::super::called::Called;
use super::super::safe::markup as text;
use super::super::texts::Lines;
use super::super::times::time;
use super::page::{fact, mark};

/// So many findings of an expect are told one by one.
const TOLD: usize = 20;

/// What an expect was found to be, attempt by attempt; the same thing found again is told once.
#[derive(Default)]
pub(super) struct Attempts {
    /// When each expect was begun to be asked, by its id.
    began: HashMap<String, Timestamp>,
    /// By the row's id.
    found: HashMap<String, Course>,
}

/// The first and the last findings of a row.
#[derive(Default)]
struct Course {
    found: Vec<Found>,
    left_out: usize,
}

struct Found {
    first: Seconds,
    last: Seconds,
    times: u32,
    actual: String,
}

impl Attempts {
    pub fn began(&mut self, expect: &str, at: Timestamp) {
        self.began.insert(expect.to_owned(), at);
        self.found.retain(|row, _| expect_of(row, |known| known == expect) != expect);
    }

    pub fn asked(&mut self, row: &str, at: Timestamp, actual: &str) {
        let expect = expect_of(row, |known| self.began.contains_key(known));
        let Some(began) = self.began.get(expect) else { return };
        let since = Seconds::from(std::time::Duration::try_from(at.duration_since(*began)).unwrap_or_default());
        let Course { found, left_out } = self.found.entry(row.to_owned()).or_default();
        match found.last_mut() {
            Some(last) if last.actual == actual => {
                last.last = since;
                last.times += 1;
            }
            _ => found.push(Found { first: since, last: since, times: 1, actual: actual.to_owned() }),
        }
        if found.len() > TOLD {
            found.remove(TOLD / 2);
            *left_out += 1;
        }
    }

    /// The list of what was found before the end; nothing where it was asked once.
    fn list(&mut self, row: &str, result: &ExpectResult) -> String {
        let Course { found, left_out } = self.found.remove(row).unwrap_or_default();
        if found.is_empty() {
            return String::new();
        }
        let mut out = String::from("<dt>over time</dt><dd><ol class=\"attempts\">");
        for (at, Found { first, last, times, actual }) in found.iter().enumerate() {
            if left_out > 0 && at == TOLD / 2 {
                let _ = write!(out, "<li>… {left_out} more</li>");
            }
            let when = match times {
                1 => time(*first),
                times => format!("{} to {}, {times} times", time(*first), time(*last)),
            };
            let _ = write!(out, "<li><span class=\"when\">{when}</span> <code>{}</code></li>", text(actual));
        }
        let (class, end) = match result.state {
            State::Holds => ("good", "holds"),
            State::Differs => ("bad", "still differs"),
            State::Unknown => ("unknown", "still unknown"),
            State::Undecided => ("undecided", "not decided"),
        };
        let _ = write!(
            out,
            "<li class=\"{class}\"><span class=\"when\">{}</span> {}{end}</li></ol></dd>",
            time(result.elapsed),
            mark(class)
        );
        out
    }
}

/// How a row looks.
pub(super) fn class(result: &ExpectResult) -> &'static str {
    match result.state {
        State::Holds => "good",
        _ if result.waived || result.warn => "doubt",
        State::Differs => "bad",
        State::Unknown => "unknown",
        State::Undecided => "undecided",
    }
}

pub(super) fn row(place: &Place, result: &ExpectResult, attempts: &mut Attempts, lines: &Lines) -> String {
    let class = class(result);
    let id = place.expect.as_deref().unwrap_or_default();
    let called = Called::of(place, result);
    let name = called.name.or(called.keys).map(|name| format!("<b>{}</b> ", text(name))).unwrap_or_default();
    let mut details = String::new();
    if result.diff.is_empty() || result.state != State::Differs {
        fact(&mut details, "expected", &result.expected);
        match (&result.reason, result.state) {
            (Some(reason), State::Unknown) => fact(&mut details, "unknown", reason),
            _ => fact(&mut details, "found", &result.actual),
        }
    } else {
        details.push_str(&difference(result));
    }
    if let (Some(reason), true) = (&result.reason, result.state != State::Unknown) {
        fact(&mut details, "because", reason);
    }
    for (what, said) in [("means", &result.message), ("accepted", &result.risk)] {
        if let Some(said) = said.as_ref().filter(|_| what != "accepted" || result.waived) {
            fact(&mut details, what, said);
        }
    }
    if let Some(check) = &result.check {
        fact(&mut details, "in", check);
    }
    let times = match result.attempts {
        1 => format!("once, {}", time(result.elapsed)),
        many => format!("{many} times in {}", time(result.elapsed)),
    };
    let within = result.within.map(|within| format!(", within {}", time(within))).unwrap_or_default();
    fact(&mut details, "asked", &format!("{times}{within}"));
    details.push_str(&attempts.list(id, result));
    let via: String = result.via.iter().map(|via| format!(", asked at {via}")).collect();
    let (file, line) = (place.file.as_deref().unwrap_or_default(), place.line.unwrap_or_default());
    fact(&mut details, "at", &format!("{file}:{line}{via}"));
    details.push_str(&own_lines(file, line, lines));
    fact(&mut details, "id", id);
    let open = if matches!(class, "bad" | "unknown") { " open=\"\"" } else { "" };
    // Nobody should have to open a row to learn that it may be otherwise by then.
    let as_of_now = match &result.as_of_now {
        Some(why) => format!(" <span class=\"now\">as of now; {}</span>", text(why)),
        None => String::new(),
    };
    format!(
        "<details class=\"row {class}\"{open}><summary>{}{name}<code>{}</code>{as_of_now}</summary><dl>{details}</dl></details>\n",
        mark(class),
        text(called.words)
    )
}

fn difference(result: &ExpectResult) -> String {
    let mut out = String::from("<dt>difference</dt><dd><pre class=\"diff\">");
    for line in &result.diff {
        let (sign, class) = match line.sign {
            DiffSign::Expected => ("-", "expected"),
            DiffSign::Actual => ("+", "found"),
            DiffSign::Both => (" ", "both"),
            DiffSign::Skip => ("…", "both"),
        };
        let _ = writeln!(out, "<span class=\"{class}\">{sign} {}</span>", text(&line.text));
    }
    out.push_str("</pre></dd>");
    out
}

/// The line that asks, marked, with those around it.
fn own_lines(file: &str, line: u32, lines: &Lines) -> String {
    let mut told = String::new();
    for (number, words) in lines.around(file, line, 2, 1) {
        let words = text(words);
        let _ = match number == line {
            true => writeln!(told, "<mark>{number:>4}  {words}</mark>"),
            false => writeln!(told, "{number:>4}  {words}"),
        };
    }
    if told.is_empty() { told } else { format!("<dt>lines</dt><dd><pre class=\"lines\">{told}</pre></dd>") }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Attempts, TOLD};

    #[test]
    fn the_same_thing_found_again_is_told_once_and_of_many_the_first_and_the_last() {
        let at = |second: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        let mut attempts = Attempts::default();
        attempts.began("a.up", at(0));
        (1..=60).for_each(|second| attempts.asked("a.up.status", at(second), "503"));
        let course = &attempts.found["a.up.status"];
        assert_eq!((course.found.len(), course.found[0].times, course.found[0].last.0), (1, 60, 60.0));
        (61..=160).for_each(|second| attempts.asked("a.up.status", at(second), &second.to_string()));
        let course = &attempts.found["a.up.status"];
        assert_eq!((course.found.len(), course.left_out), (TOLD, 101 - TOLD));
        assert_eq!((&*course.found[0].actual, &*course.found[TOLD - 1].actual), ("503", "160"));
        // Asked anew, it begins anew.
        attempts.began("a.up", at(200));
        assert!(attempts.found.is_empty());
    }
}
