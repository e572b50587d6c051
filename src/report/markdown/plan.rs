//! The steps of a dry run: each is a list of what would be run, and of what its expects are now.

use crate::engine::events::event::{Body, Event, State, StepOutcome, StopState};

use super::super::run_model::{Collapsed, Entry, Item, Row, Section, SectionKind, Standing, blocks, is_text};
use super::super::safe::safe;
use super::evidence::{called, difference, line};
use super::inline::{code, escaped, fenced, heading};

/// So many lines of evidence are shown.
const SHOWN: usize = 200;

#[derive(Default)]
pub(super) struct Plan {
    out: String,
    /// The section that goes on has its heading.
    begun: bool,
}

impl Plan {
    pub fn text(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    pub fn section(&mut self, section: &Section) {
        self.more(section, &section.items);
        self.begun = false;
        if let Some(reason) = skipped(section) {
            self.out.push_str(&format!("{}\n", escaped(reason)));
        }
    }

    /// What is in a section that goes on.
    pub fn more(&mut self, section: &Section, items: &[Item]) {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(section);
        }
        for (at, block) in blocks(items).into_iter().enumerate() {
            match block.checklist {
                Some(title) => heading(&mut self.out, 4, &format!("Checklist: {}", escaped(title))),
                None if at > 0 => heading(&mut self.out, 4, "Then"),
                None => {}
            }
            for item in block.items {
                match item {
                    Item::Entry(Entry::Row(event, _)) => {
                        if let Some(row) = Row::of(event.get()) {
                            self.row(row);
                        }
                    }
                    Item::Entry(Entry::Collapsed(collapsed)) => self.collapsed(collapsed),
                    Item::Entry(Entry::Told(event)) => self.told(event.get()),
                    _ => {}
                }
            }
        }
    }

    fn begin(&mut self, section: &Section) {
        let name = code(section.name().unwrap_or_default());
        match &section.head {
            Some(head) => {
                let title = section.title().map(|title| format!(" {}", escaped(title))).unwrap_or_default();
                let not_reached = if head.not_reached { " — _not reached_" } else { "" };
                match section.kind() {
                    SectionKind::Verdict => heading(&mut self.out, 3, &format!("Verdict{not_reached}")),
                    _ => heading(&mut self.out, 3, &format!("{name}{title}{not_reached}")),
                }
            }
            None if skipped(section).is_some() => heading(&mut self.out, 3, &format!("{name} skipped")),
            // The stop conditions, which are asked before the first step.
            None => self.out.push('\n'),
        }
    }

    fn told(&mut self, event: &Event) {
        let place = &event.place;
        let possible = place.possible.as_deref().map(|why| format!(" — _{}_", escaped(why))).unwrap_or_default();
        match &event.body {
            Body::ActionPlanned { action, .. } if place.not_reached => self.not_reached(&code(action)),
            Body::ActionPlanned { action, .. } => self.item("▷", &format!("would run {}{possible}", code(action))),
            Body::ActionSkipped { action, .. } => self.item("–", &format!("not needed: {}", code(action))),
            Body::ConfirmPlanned { text, role, .. } => {
                let what = format!("{}: {}", escaped(role), escaped(text));
                match place.not_reached {
                    true => self.not_reached(&what),
                    false => self.item("☐", &format!("would ask {what}{possible}")),
                }
            }
            Body::Shown { text, value } => {
                let value: Vec<String> = value.lines().take(SHOWN).map(safe).collect();
                let what = if is_text(text) { "shown".to_owned() } else { code(text) };
                self.out.push_str(&format!("- {what}\n{}", fenced("", &value.join("\n"), "  ")));
            }
            Body::StopPredicted { reason, text, state, actual } => {
                let word = match state {
                    StopState::Quiet => "✅ quiet now:",
                    StopState::WouldStop => "❌ **would stop now:**",
                    StopState::Unknown => "❔ **unknown:**",
                };
                self.item(word, &format!("stop “{}” {}", escaped(reason), code(text)));
                if *state != StopState::Quiet {
                    self.out.push_str(&format!("  {}\n", escaped(actual)));
                }
            }
            Body::RunEndsHere { certain, reason, then } => {
                let words =
                    if *certain { "**as things stand the run would stop here:**" } else { "the run may stop here:" };
                self.item("■", &format!("{words} {}", escaped(reason)));
                if !then.is_empty() {
                    self.out.push_str(&format!("  then runs: {}\n", escaped(&then.join(", "))));
                }
            }
            Body::Cancelled { reason } => self.item("■", &escaped(reason)),
            _ => {}
        }
    }

    fn row(&mut self, row: Row<'_>) {
        let result = row.result;
        let what = called(row, code);
        let line = line(row);
        if row.standing() == Standing::NotReached {
            return self.not_reached(&format!("{what}{line}"));
        }
        let word = match (result.state, row.standing()) {
            (_, Standing::Assumed) => "☑️ assumed",
            (State::Holds, _) => "✅ holds now",
            (State::Differs, Standing::Warned(_)) => "⚠️",
            (State::Differs, Standing::Accepted(_)) => "🟡 accepted",
            (State::Differs, _) => "❌ **differs now**",
            (State::Unknown, _) => "❔ **unknown**",
            (State::Undecided, _) => "❔ **not decided**",
        };
        let mut rests_on = String::new();
        for why in row.rests_on() {
            rests_on.push_str(&format!(" — _{}_", escaped(&why)));
        }
        if let Some(shared) = row.shared() {
            rests_on.push_str(&format!(" — _same request as {}_", escaped(shared)));
        }
        self.item(word, &format!("{what}{line}{rests_on}"));
        match result.state {
            State::Holds => {}
            State::Unknown | State::Undecided => {
                let reason = row.because().unwrap_or(&result.actual);
                self.out.push_str(&format!("  {}\n", escaped(reason)));
            }
            State::Differs => self.out.push_str(&fenced("diff", &difference(result), "  ")),
        }
        if let Some(message) = &result.message {
            self.out.push_str(&format!("  {}\n", escaped(message)));
        }
    }

    fn collapsed(&mut self, collapsed: &Collapsed) {
        let Collapsed { place, check, count, as_of_now, assumed, .. } = collapsed;
        if place.not_reached {
            return self.not_reached(&format!("{count} of {}", code(check)));
        }
        let apart: String = [(as_of_now, "as of now"), (assumed, "assumed")]
            .iter()
            .filter(|(count, _)| **count > 0)
            .map(|(count, what)| format!(" — _{count} {what}_"))
            .collect();
        self.item("✅ hold now", &format!("{count} of {}{apart}", code(check)));
    }

    fn not_reached(&mut self, what: &str) {
        self.item("·", &format!("_not reached:_ {what}"));
    }

    fn item(&mut self, mark: &str, words: &str) {
        self.out.push_str(&format!("- {mark} {words}\n"));
    }
}

/// Why a step was left out, if it was.
fn skipped(section: &Section) -> Option<&str> {
    let (outcome, reason, _) = section.closed.as_ref()?.step()?;
    (outcome == StepOutcome::Skipped).then_some(reason.unwrap_or_default())
}
