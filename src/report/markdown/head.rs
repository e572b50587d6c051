//! The beginning of a report: the decision, each step in a row, what is in the way, what was accepted, mended and undone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::check::program::VERDICT;
use crate::engine::events::event::{Accepted, Body, Event, ExpectResult, Seconds, State, StepOutcome, Verdict};

use super::super::times::time;
use super::words::{cell_code, code, escaped};

/// What a step came to.
pub(super) struct Sum {
    pub step: String,
    pub title: String,
    pub outcome: StepOutcome,
    pub reason: Option<String>,
    pub took: Option<Seconds>,
    /// In a dry run: how many actions it would run.
    pub planned: u32,
    pub expects: Asked,
}

/// What the rows of a step came to, each as it was told last.
#[derive(Default)]
pub(super) struct Asked(BTreeMap<String, &'static str>);

impl Asked {
    pub fn take(&mut self, row: &str, result: &ExpectResult) {
        let state = match result.state {
            State::Holds => "held",
            _ if result.waived => "accepted",
            State::Differs => "differed",
            State::Unknown => "unknown",
            State::Undecided => "not decided",
        };
        self.0.insert(row.to_owned(), state);
    }

    fn count(&self, state: &str) -> usize {
        self.0.values().filter(|known| **known == state).count()
    }

    fn words(&self) -> String {
        let count = |state: &str| self.count(state);
        let told = ["held", "differed", "unknown", "accepted"].map(|state| (count(state), state));
        let told: Vec<String> =
            told.iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}")).collect();
        told.join(", ")
    }

    fn blocks(&self) -> bool {
        self.0.values().any(|state| ["differed", "unknown"].contains(state))
    }
}

impl Sum {
    fn row(&self) -> String {
        let mark = match self.outcome {
            // The verdict has no outcome of its own, and neither has a step that did not end.
            StepOutcome::Passed if self.took.is_none() && self.expects.blocks() => "❌",
            StepOutcome::Passed if self.took.is_none() && self.step != VERDICT => "⚠️ not ended",
            StepOutcome::Passed => "✅",
            StepOutcome::Recovered => "↻ recovered",
            StepOutcome::Failed => "❌",
            StepOutcome::Skipped => "–",
            StepOutcome::Planned => "",
        };
        let title = if self.title == self.step { String::new() } else { format!(" {}", escaped(&self.title)) };
        let took = self.took.map(time).unwrap_or_default();
        let reason = self.reason.as_deref().map(escaped).unwrap_or_default();
        let words = self.expects.words();
        format!("| {mark} | {}{title} | {words} | {} | {took} |\n", code(&self.step), reason)
    }
}

pub(super) fn verdict(event: &Event, sums: &[Sum]) -> String {
    let Body::Verdict { verdict, reasons, steps, expects, recovered, warnings, accepted, undone, partial, elapsed } =
        &event.body
    else {
        return String::new();
    };
    let word = match verdict {
        Verdict::Go if accepted.is_empty() => "✅ **GO**",
        Verdict::Go => "✅ **GO** with accepted risks",
        Verdict::NoGo => "❌ **NO-GO**",
        Verdict::RolledBack => "↩ **ROLLED BACK**",
        Verdict::RollbackFailed => "❌ **ROLLBACK FAILED**",
    };
    let mut head = format!(
        "{word} — steps: {} passed, {} recovered, {} failed, {} skipped; expects: {} held, {} differed, {} unknown, \
         {} accepted; {}\n",
        steps.passed,
        steps.recovered,
        steps.failed,
        steps.skipped,
        expects.held,
        expects.differed,
        expects.unknown,
        expects.waived,
        time(*elapsed)
    );
    if let Some(partial) = partial {
        let _ = write!(head, "\nPartial: {}\n", escaped(partial));
    }
    head.push_str(&steps_of(sums));
    let list = |head: &mut String, title: &str, items: &[String]| {
        if !items.is_empty() {
            let _ = write!(head, "\n### {title}\n\n");
            head.extend(items.iter().map(|item| format!("- {}\n", escaped(item))));
        }
    };
    match reasons.is_empty() {
        true => head.push_str("\n### Blockers\n\nNone.\n"),
        false => list(&mut head, "Blockers", reasons),
    }
    if !accepted.is_empty() {
        head.push_str(
            "\n### Accepted risks\n\n| risk | expects | until | approver | reason |\n| --- | --- | --- | --- | --- |\n",
        );
        for Accepted { risk, expects, until, approver, reason } in accepted {
            let expects: Vec<String> = expects.iter().map(|id| cell_code(id)).collect();
            let until = until.strftime("%Y-%m-%d");
            let words = [risk, approver, reason].map(|text| escaped(text));
            let _ = writeln!(head, "| {} | {} | {until} | {} | {} |", words[0], expects.join(", "), words[1], words[2]);
        }
    }
    list(&mut head, "Recovered", recovered);
    let undone: Vec<String> = undone
        .iter()
        .map(|undone| {
            let what = if undone.ok { "undone" } else { "not undone" };
            let reason = undone.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} {what}{reason}, {}", undone.step, time(undone.elapsed))
        })
        .collect();
    list(&mut head, "Undone", &undone);
    list(&mut head, "Warnings", warnings);
    head
}

/// A row for each step of a dry run.
fn plan_of(sums: &[Sum]) -> String {
    let number = |count: usize| if count > 0 { count.to_string() } else { String::new() };
    let rows: String = sums
        .iter()
        .map(|Sum { step, title, planned, expects, reason, .. }| {
            let [holds, differs, unknown] = [
                expects.count("held"),
                expects.count("differed") + expects.count("accepted"),
                expects.count("unknown"),
            ];
            let mark = match (expects.count("differed"), unknown) {
                (0, 0) => "",
                (0, _) => "❔",
                _ => "❌",
            };
            let title = if title == step { String::new() } else { format!(" {}", escaped(title)) };
            let reason = reason.as_deref().map(|reason| format!(" — {}", escaped(reason))).unwrap_or_default();
            let planned = number(*planned as usize);
            let counts = [holds, differs, unknown].map(number).join(" | ");
            format!("| {mark} | {}{title}{reason} | {planned} | {counts} |\n", code(step))
        })
        .collect();
    let head = "|  | step | would run | hold now | differ now | unknown |\n| --- | --- | --- | --- | --- | --- |\n";
    if rows.is_empty() { rows } else { format!("\n{head}{rows}") }
}

/// A row for each step.
fn steps_of(sums: &[Sum]) -> String {
    let rows: String = sums.iter().map(Sum::row).collect();
    match rows.is_empty() {
        true => rows,
        false => format!("\n|  | step | expects |  | time |\n| --- | --- | --- | --- | --- |\n{rows}"),
    }
}

/// Of a run that has no verdict.
pub(super) fn unfinished(why: &str, sums: &[Sum]) -> String {
    format!("⚠️ **No verdict** — {}\n{}", escaped(why), steps_of(sums))
}

pub(super) fn summary(event: &Event, sums: &[Sum]) -> String {
    let Body::Summary { actions, expects, as_of_now, possibly, probes, partial, .. } = &event.body else {
        return String::new();
    };
    let partial = partial.as_ref().map(|partial| format!("\nPartial: {}\n", escaped(partial))).unwrap_or_default();
    format!(
        "Dry run, nothing was changed: **{actions}** actions would be run ({possibly} possibly); expects: **{}** hold now, \
         **{}** differ now, **{}** unknown ({as_of_now} as of now); {probes} probes.\n{partial}{}",
        expects.holds,
        expects.differs,
        expects.unknown,
        plan_of(sums)
    )
}
