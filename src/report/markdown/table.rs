//! The steps of a run: each is a table, with what is too long for its rows behind it.

use crate::engine::events::event::{Body, Confirmed, Event, Resumed, Seconds, State, StepOutcome};

use super::super::run_model::{Collapsed, Entry, Item, Row, Section, SectionKind, blocks, is_text};
use super::super::safe::{markup, safe};
use super::super::times::time;
use super::evidence::{called, cells, difference, evidence};
use super::inline::{SHORT, cell_code, code, escaped, fenced, heading};

const HEAD: &str = "|  | what | expected | found | time |\n| --- | --- | --- | --- | --- |\n";

/// So many lines of evidence are shown.
const SHOWN: usize = 200;

#[derive(Default)]
pub(super) struct Tables {
    out: String,
    /// The rows of the table that is open, and what is too long for them.
    table: String,
    notes: String,
    /// The section that goes on has its heading.
    begun: bool,
}

impl Tables {
    pub fn text(&mut self) -> String {
        self.flush();
        std::mem::take(&mut self.out)
    }

    /// An action whose end was not seen.
    pub fn unseen(&mut self, action: &str) {
        self.row("⚠️", &format!("ran {}", cell_code(action)), "done", "its end was not seen", "");
    }

    /// What is in a section that goes on.
    pub fn more(&mut self, section: &Section, items: &[Item]) {
        if !std::mem::replace(&mut self.begun, true) {
            match &section.head {
                Some(opened) => self.begin(section, opened.attempt),
                // What it came to between two steps stands behind the first.
                None if section.closed.is_none() => {}
                None => self.heading(3, &format!("{} skipped", code(section.name().unwrap_or_default()))),
            }
        }
        for (at, block) in blocks(items).into_iter().enumerate() {
            match block.checklist {
                Some(title) => self.heading(4, &format!("Checklist: {}", escaped(title))),
                None if at > 0 && !block.begins_anew() => self.heading(4, "Then"),
                None => {}
            }
            for item in block.items {
                if let Item::Entry(entry) = item {
                    self.entry(section, entry);
                }
            }
        }
    }

    pub fn section(&mut self, section: &Section) {
        self.more(section, &section.items);
        self.begun = false;
        let Some((outcome, reason, elapsed)) = section.closed.as_ref().and_then(|closed| closed.step()) else { return };
        self.flush();
        let word = match outcome {
            StepOutcome::Skipped => {
                return self.out.push_str(&format!("{}\n", escaped(reason.unwrap_or_default())));
            }
            StepOutcome::Failed => "❌ failed",
            StepOutcome::Recovered => "↻ recovered",
            _ => "✅ passed",
        };
        let reason = reason.map(|reason| format!(": {}", escaped(reason))).unwrap_or_default();
        self.out.push_str(&format!("\n{word} in {}{reason}\n", time(elapsed)));
    }

    fn begin(&mut self, section: &Section, attempt: u32) {
        let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        let title = section.title().map(|title| format!(" {}", escaped(title))).unwrap_or_default();
        match section.kind() {
            SectionKind::Step => {
                self.heading(3, &format!("{}{title}{again}", code(section.name().unwrap_or_default())));
            }
            SectionKind::Verdict => self.heading(3, "Verdict"),
            SectionKind::Rollback => {
                self.heading(3, "Rolling back");
                if let Some(Body::RollbackStarted { reason, .. }) =
                    section.head.as_ref().map(|head| &head.event.get().body)
                {
                    self.out.push_str(&format!("{}\n\n", escaped(reason)));
                }
            }
        }
    }

    fn entry(&mut self, section: &Section, entry: &Entry) {
        match entry {
            Entry::Opened(again) => self.begin(section, again.attempt),
            Entry::Row(event, _) => {
                if let Some(row) = Row::of(event.get()) {
                    self.evidence(row);
                }
            }
            Entry::Collapsed(collapsed) => self.collapsed(collapsed),
            Entry::ActionEnded { event, .. } => self.action(event.get()),
            Entry::Told(event) => self.told(event.get()),
            _ => {}
        }
    }

    fn action(&mut self, event: &Event) {
        let Body::ActionEnded { action, error, elapsed, assumed, .. } = &event.body else { return };
        let what = format!("ran {}", cell_code(action));
        if let Some(why) = assumed {
            return self.row("▷", &what, "done", &escaped(why), "");
        }
        let mark = if error.is_some() { "❌" } else { "▷" };
        let error = error.as_deref().map(escaped).unwrap_or_else(|| "done".to_owned());
        self.row(mark, &what, "done", &error, &time(*elapsed));
    }

    fn told(&mut self, event: &Event) {
        match &event.body {
            Body::ActionSkipped { action, .. } => self.note("–", &format!("not needed: {}", cell_code(action))),
            Body::Shown { text, value } => {
                let value: Vec<String> = value.lines().take(SHOWN).map(safe).collect();
                let what = if is_text(text) { String::new() } else { format!("\n{}:\n", code(text)) };
                self.notes.push_str(&format!("{what}\n{}", fenced("", &value.join("\n"), "")));
            }
            Body::HandlerStarted { .. } => self.note("↳", "on-failure"),
            Body::AskingAgain => self.note("↻", "asking again what failed"),
            Body::Cancelled { reason } => self.note("■", &escaped(reason)),
            Body::Retrying { attempt, of, .. } => self.note("↻", &format!("retry {attempt} of {of}")),
            Body::StopHeld { reason, text, actual, .. } => {
                let what = format!("stopped: {}", escaped(reason));
                self.row("■", &what, &format!("not {}", cell_code(text)), &escaped(actual), "");
            }
            Body::Confirmed(confirmed) => self.confirmed(confirmed),
            Body::Resumed(resumed) => self.resumed(resumed),
            Body::UndoStarted { title, .. } => {
                let name = event.place.step.as_deref().unwrap_or_default();
                self.note("◀", &format!("undoing {}: {}", cell_code(name), escaped(title)));
            }
            Body::UndoEnded(undone) => {
                if let Some(reason) = &undone.reason {
                    self.note(if undone.ok { "⚠️" } else { "❌" }, &escaped(reason));
                }
            }
            _ => {}
        }
    }

    fn confirmed(&mut self, confirmed: &Confirmed) {
        let (text, role) = (escaped(&confirmed.text), escaped(&confirmed.role));
        let expected = format!("confirmed by {role}");
        let by = confirmed.by.as_deref().map(escaped).unwrap_or_default();
        let value = confirmed.value.as_ref().map(|value| format!(": {}", cell_code(value))).unwrap_or_default();
        match &confirmed.reason {
            None => self.row("☑", &text, &expected, &format!("{by}{value}"), ""),
            Some(reason) => self.row("❌", &text, &expected, &escaped(reason), ""),
        }
    }

    fn resumed(&mut self, resumed: &Resumed) {
        let cut_off = escaped(&resumed.cut_off.to_string());
        self.heading(3, &format!("Resumed by {}", escaped(&resumed.by)));
        self.out.push_str(&format!("- cut off at {cut_off}\n"));
        if let Some(doubt) = &resumed.doubt {
            let what = if doubt.done { "counts as done" } else { "is done again" };
            self.out.push_str(&format!("- {} {what}: {}\n", code(&doubt.action), escaped(&doubt.because)));
        }
        self.out.push_str(&format!("- {} expects were asked again, and hold\n\n", resumed.asked_again));
    }

    /// Rows of a check that all hold: a row for all of them, and each to be unfolded behind the table.
    fn collapsed(&mut self, collapsed: &Collapsed) {
        let rows: Vec<Row<'_>> = collapsed.rows.iter().filter_map(|event| Row::of(event.get())).collect();
        let took = rows.iter().map(|row| row.result.elapsed.0).fold(0.0, f64::max);
        let what = format!("{} of {}", rows.len(), cell_code(&collapsed.check));
        self.row("✅", &what, "hold", "hold", &time(Seconds(took)));
        let each: String = rows.iter().map(|row| evidence(*row)).collect();
        let summary = markup(&collapsed.check);
        self.notes.push_str(&format!(
            "\n<details><summary>{} of {summary}</summary>\n\n{HEAD}{each}\n</details>\n",
            rows.len()
        ));
    }

    /// A row of evidence; what differs in more than a few words stands behind the table.
    fn evidence(&mut self, row: Row<'_>) {
        self.table.push_str(&evidence(row));
        let result = row.result;
        let long =
            !result.diff.is_empty() || result.expected.chars().count().max(result.actual.chars().count()) > SHORT;
        if result.state == State::Differs && long {
            let what = called(row, code);
            self.notes.push_str(&format!("\n{what}:\n\n{}", fenced("diff", &difference(result), "")));
        }
    }

    fn note(&mut self, mark: &str, words: &str) {
        self.row(mark, words, "", "", "");
    }

    fn row(&mut self, mark: &str, what: &str, expected: &str, found: &str, took: &str) {
        self.table.push_str(&cells(mark, what, expected, found, took));
    }

    /// Ends the table that is open.
    fn flush(&mut self) {
        let table = std::mem::take(&mut self.table);
        if !table.is_empty() {
            self.out.push_str(&format!("{HEAD}{table}"));
        }
        let notes = std::mem::take(&mut self.notes);
        self.out.push_str(&notes);
    }

    fn heading(&mut self, level: usize, words: &str) {
        self.flush();
        heading(&mut self.out, level, words);
    }
}
