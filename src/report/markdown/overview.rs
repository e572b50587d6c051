//! The beginning of a report: the decision, each step in a row, what is in the way, what was accepted, mended and undone.

use std::fmt::Write as _;

use crate::check::program::VERDICT;
use crate::engine::events::event::{Accepted, Body, CheckState, Event, Seconds, StepOutcome, Verdict};

use super::super::run_model::{
    Decision, Preflight, RowCounts, Section, SectionKind, StatesNow, counted, finding, subject, undone_words,
};
use super::super::times::time;
use super::inline::{cell_code, code, escaped};

/// What each step came to.
#[derive(Default)]
pub(super) struct Overview {
    steps: Vec<Sum>,
}

/// What a step came to.
struct Sum {
    step: String,
    title: Option<String>,
    /// None: it did not end, or is what decides.
    outcome: Option<StepOutcome>,
    reason: Option<String>,
    took: Option<Seconds>,
    /// In a dry run: how many actions it would run.
    planned: u32,
    rows: RowCounts,
}

impl Overview {
    pub fn add(&mut self, section: &Section) {
        let (Some(name), SectionKind::Step | SectionKind::Verdict) = (section.name(), section.kind()) else { return };
        let end = section.closed.as_ref().and_then(|closed| closed.step());
        let skipped = end.is_some_and(|(outcome, ..)| outcome == StepOutcome::Skipped);
        self.steps.push(Sum {
            step: name.to_owned(),
            title: section.title().map(str::to_owned),
            outcome: end.map(|(outcome, ..)| outcome),
            reason: end.and_then(|(_, reason, _)| Some(reason?.to_owned())),
            took: end.map(|(.., took)| took).filter(|_| !skipped),
            planned: section.planned(),
            rows: section.counts(),
        });
    }

    /// Of a run: its verdict, and that of its rollback.
    pub fn verdicts(&self, events: &[&Event], preflight: Option<&Preflight>) -> String {
        let decisions: Vec<Decision<'_>> = events.iter().filter_map(|event| Decision::of(event)).collect();
        let mut head = decisions.iter().map(decision).collect::<Vec<_>>().join("\n");
        for partial in decisions.iter().filter_map(|decision| decision.partial).take(1) {
            let _ = write!(head, "\nPartial: {}\n", escaped(partial));
        }
        head.extend(preflight.map(preflighted));
        head.push_str(&self.table());
        decisions.iter().for_each(|decision| lists(&mut head, decision));
        head
    }

    /// Of a run that has no verdict, or whose rollback has none.
    pub fn unfinished(&self, why: &str, preflight: Option<&Preflight>, events: &[&Event]) -> String {
        let before = if events.is_empty() { String::new() } else { self.verdicts(events, None) + "\n" };
        let refused = preflight.filter(|preflight| !preflight.ok && preflight.checked > 0);
        let head = match refused {
            Some(preflight) => format!("⛔ **Not run** — preflight: {}\n", preflight.sum()),
            None => format!("⚠️ **No verdict** — {}\n", escaped(why)),
        };
        let table = if events.is_empty() { self.table() } else { String::new() };
        format!("{before}{head}{}{table}", preflight.map(preflighted).unwrap_or_default())
    }

    /// Of a dry run.
    pub fn sum(&self, event: &Event, preflight: Option<&Preflight>) -> String {
        let Body::Summary { actions, expects, as_of_now, possibly, probes, partial, actions_not_reached, ends, .. } =
            &event.body
        else {
            return String::new();
        };
        let partial = partial.as_ref().map(|partial| format!("\nPartial: {}\n", escaped(partial))).unwrap_or_default();
        let StatesNow { always, apart } = expects.into();
        let counts = always.map(|(count, what)| format!("**{count}** {what}")).join(", ");
        let apart = counted(&apart);
        let apart = if apart.is_empty() { apart } else { format!(", {apart}") };
        let not_reached = match actions_not_reached {
            0 => String::new(),
            count => format!(", {count} more not reached"),
        };
        let ends = match ends {
            Some(ends) => format!("\n■ **As things stand the run would stop:** {}\n", escaped(ends)),
            None => String::new(),
        };
        format!(
            "Dry run, nothing was changed: **{actions}** actions would be run ({possibly} possibly{not_reached}); expects: \
             {counts}{apart} ({as_of_now} as of now); {probes} probes.\n{ends}{partial}{}{}",
            preflight.map(preflighted).unwrap_or_default(),
            self.plan()
        )
    }

    /// A row for each step.
    fn table(&self) -> String {
        let rows: String = self.steps.iter().map(Sum::row).collect();
        match rows.is_empty() {
            true => rows,
            false => format!("\n|  | step | expects |  | time |\n| --- | --- | --- | --- | --- |\n{rows}"),
        }
    }

    /// A row for each step of a dry run; what is neither of the three that are always asked for stands in a column of its own.
    fn plan(&self) -> String {
        let apart: Vec<String> = self.steps.iter().map(Sum::apart).collect();
        let has_apart = apart.iter().any(|apart| !apart.is_empty());
        let number = |count: u32| if count > 0 { count.to_string() } else { String::new() };
        let rows: String = self
            .steps
            .iter()
            .zip(&apart)
            .map(|(sum, apart)| {
                let Sum { rows, reason, planned, .. } = sum;
                let mark = match (rows.differed, rows.unknown) {
                    (0, 0) => "",
                    (0, _) => "❔",
                    _ => "❌",
                };
                let reason = reason.as_deref().map(|reason| format!(" — {}", escaped(reason))).unwrap_or_default();
                let counts = [*planned, rows.held, rows.differed, rows.unknown].map(number).join(" | ");
                let apart = if has_apart { format!(" {apart} |") } else { String::new() };
                format!("| {mark} | {}{reason} | {counts} |{apart}\n", sum.name())
            })
            .collect();
        let (more, rule) = if has_apart { ("  |", " --- |") } else { ("", "") };
        let head = format!(
            "|  | step | would run | hold now | differ now | unknown |{more}\n| --- | --- | --- | --- | --- | --- |{rule}\n"
        );
        if rows.is_empty() { rows } else { format!("\n{head}{rows}") }
    }
}

impl Sum {
    fn name(&self) -> String {
        let title = self.title.as_deref().map(|title| format!(" {}", escaped(title))).unwrap_or_default();
        format!("{}{title}", code(&self.step))
    }

    fn row(&self) -> String {
        let mark = match self.outcome {
            None if self.rows.blocking > 0 => "❌",
            None if self.step != VERDICT => "⚠️ not ended",
            None | Some(StepOutcome::Passed) => "✅",
            Some(StepOutcome::Recovered) => "↻ recovered",
            Some(StepOutcome::Failed) => "❌",
            Some(StepOutcome::Skipped) => "–",
            Some(StepOutcome::Planned) => "",
        };
        let RowCounts { held, assumed, differed, unknown, undecided, accepted, .. } = self.rows;
        let words = counted(&[
            (held, "held"),
            (assumed, "assumed"),
            (differed, "differed"),
            (unknown, "unknown"),
            (undecided, "not decided"),
            (accepted, "accepted"),
        ]);
        let took = self.took.map(time).unwrap_or_default();
        let reason = self.reason.as_deref().map(escaped).unwrap_or_default();
        format!("| {mark} | {} | {words} | {reason} | {took} |\n", self.name())
    }

    fn apart(&self) -> String {
        let RowCounts { assumed, accepted, not_reached, .. } = self.rows;
        counted(&[(assumed, "assumed"), (accepted, "accepted"), (not_reached, "not reached")])
    }
}

fn decision(decision: &Decision<'_>) -> String {
    let mark = match decision.verdict {
        Verdict::Go => "✅",
        Verdict::RolledBack => "↩️",
        Verdict::NoGo | Verdict::RollbackFailed => "❌",
    };
    let risks = if decision.has_risks() { " with accepted risks" } else { "" };
    let took = time(decision.elapsed);
    let facts = match decision.is_of_rollback() {
        true => decision.undone_counts(),
        false => {
            let (steps, expects) = decision.all_counts();
            format!("steps: {steps}; expects: {expects}")
        }
    };
    format!("{mark} **{}**{risks} — {facts}; {took}\n", decision.word())
}

/// What was checked before the first action.
fn preflighted(preflight: &Preflight) -> String {
    let mut out = format!("\nPreflight: {}\n", preflight.sum());
    let mut notable = preflight.notable().peekable();
    if notable.peek().is_some() {
        out.push('\n');
    }
    for check in notable {
        let mark = match check.state {
            CheckState::Refused => "❌",
            CheckState::IfReached => "❔",
            _ => "·",
        };
        let _ = writeln!(out, "- {mark} {}: {}", escaped(&subject(check)), escaped(&finding(check)));
    }
    out
}

/// What is in the way, what was accepted, mended and undone.
fn lists(head: &mut String, decision: &Decision<'_>) {
    let list = |head: &mut String, title: &str, items: &[String]| {
        if !items.is_empty() {
            let _ = write!(head, "\n### {title}\n\n");
            head.extend(items.iter().map(|item| format!("- {}\n", escaped(item))));
        }
    };
    match (decision.is_of_rollback(), decision.reasons.is_empty()) {
        (true, _) => list(head, "Rollback", decision.reasons),
        (false, true) => head.push_str("\n### Blockers\n\nNone.\n"),
        (false, false) => list(head, "Blockers", decision.reasons),
    }
    if !decision.accepted.is_empty() {
        head.push_str(
            "\n### Accepted risks\n\n| risk | expects | until | approver | reason |\n| --- | --- | --- | --- | --- |\n",
        );
        for Accepted { risk, expects, until, approver, reason } in decision.accepted {
            let expects: Vec<String> = expects.iter().map(|id| cell_code(id)).collect();
            let until = until.strftime("%Y-%m-%d");
            let words = [risk, approver, reason].map(|text| escaped(text));
            let _ = writeln!(head, "| {} | {} | {until} | {} | {} |", words[0], expects.join(", "), words[1], words[2]);
        }
    }
    list(head, "Recovered", decision.recovered);
    let undone: Vec<String> = decision.undone.iter().map(undone_words).collect();
    list(head, "Undone", &undone);
    list(head, "Warnings", decision.warnings);
}
