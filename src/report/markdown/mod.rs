//! A run as a report, a dry run as a comment on a pull request: the sum first, then each step. Told when it is over.
//!
//! Of a run each step is a table: what was done and asked, expected, found, and the time it took. A dry run is a list.

mod head;
mod words;

use std::io::Write;

use crate::check::program::{VERDICT, VERDICT_TITLE};
use crate::engine::events::event::{Body, ExpectResult, Mode, Place, Published, Seconds, Sink, State, StepOutcome};

use super::fold::{Fold, Kept};
use super::safe::{markup, safe};
use super::times::time;
use head::{Asked, Sum};
use words::{HEAD, SHORT, called, cell_code, code, difference, escaped, evidence, fenced, line, row};

/// Gathers the events, and writes it all at the end.
pub struct Markdown<W> {
    out: W,
    title: String,
    mode: Mode,
    steps: String,
    /// The rows of the step that is being told, and what is too long for them.
    table: String,
    notes: String,
    /// Who answered for what, a row each.
    signed: String,
    /// The facts of the run, a line each.
    facts: String,
    fold: Fold,
    checklist: Option<String>,
    /// Each step that has ended.
    sums: Vec<Sum>,
    /// The step that goes on, its name and title, and what its rows came to so far.
    open: Option<(String, String)>,
    /// The action whose end was not seen so far.
    acting: Option<String>,
    asked: Asked,
    /// The actions of the step so far that a dry run left out.
    planned: u32,
}

impl<W: Write + Send> Markdown<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            title: String::new(),
            mode: Mode::Exec,
            steps: String::new(),
            table: String::new(),
            notes: String::new(),
            signed: String::new(),
            facts: String::new(),
            fold: Fold::default(),
            checklist: None,
            sums: Vec::new(),
            open: None,
            acting: None,
            asked: Asked::default(),
            planned: 0,
        }
    }

    /// A row of a run, an item of a dry run.
    fn tell(&mut self, mark: &str, words: &str) {
        match self.mode {
            Mode::Exec => self.row(mark, words, "", "", ""),
            Mode::DryRun => self.steps.push_str(&format!("- {mark} {words}\n")),
        }
    }

    fn row(&mut self, mark: &str, what: &str, expected: &str, found: &str, took: &str) {
        self.table.push_str(&row(mark, what, expected, found, took));
    }

    /// Ends the table of a step.
    fn flush(&mut self) {
        let table = std::mem::take(&mut self.table);
        if !table.is_empty() {
            self.steps.push_str(&format!("{HEAD}{table}"));
        }
        let notes = std::mem::take(&mut self.notes);
        self.steps.push_str(&notes);
    }

    fn section(&mut self, head: &str) {
        self.flush();
        self.checklist = None;
        self.heading(&format!("### {head}"));
    }

    /// With a blank line before and behind it.
    fn heading(&mut self, words: &str) {
        while self.steps.ends_with("\n\n") {
            self.steps.pop();
        }
        self.steps.push_str(&format!("\n{words}\n\n"));
    }

    /// Where the next rows belong, where that changes.
    fn belongs(&mut self, place: &Place) {
        if self.checklist == place.checklist {
            return;
        }
        self.checklist.clone_from(&place.checklist);
        self.flush();
        if let Some(title) = &place.checklist {
            self.heading(&format!("#### Checklist: {}", escaped(title)));
        } else {
            self.heading("#### Then");
        }
    }

    /// Rows that were kept back while more of the same came.
    fn kept(&mut self, kept: Kept) {
        match kept {
            Kept::Rows(rows) => {
                for (place, result) in rows {
                    self.belongs(&place);
                    self.expect(&place, &result);
                }
            }
            Kept::Many { place, check, as_of_now, rows, .. } => {
                self.belongs(&place);
                let held = rows.len();
                if self.mode == Mode::Exec {
                    return self.folded(&check, &rows);
                }
                let word = "✅ hold now";
                let as_of_now = match as_of_now {
                    0 => String::new(),
                    count => format!(" — _{count} as of now_"),
                };
                self.steps.push_str(&format!("- {word} {held} of {}{as_of_now}\n", code(&check)));
            }
        }
    }

    fn expect(&mut self, place: &Place, result: &ExpectResult) {
        if self.mode == Mode::Exec {
            return self.evidence(place, result);
        }
        let word = match result.state {
            State::Differs if result.warn => "⚠️",
            State::Holds => "✅ holds now",
            State::Differs => "❌ **differs now**",
            State::Unknown => "❔ **unknown**",
            State::Undecided => "❔ **not decided**",
        };
        let as_of_now =
            result.as_of_now.as_deref().map(|why| format!(" — _as of now; {}_", escaped(why))).unwrap_or_default();
        let line = line(place, result);
        self.steps.push_str(&format!("- {word} {}{line}{as_of_now}\n", called(place, result, code)));
        match result.state {
            State::Holds => {}
            State::Unknown | State::Undecided => {
                let reason = result.reason.as_deref().unwrap_or(&result.actual);
                self.steps.push_str(&format!("  {}\n", escaped(reason)));
            }
            State::Differs => self.steps.push_str(&fenced("diff", &difference(result), "  ")),
        }
        if let Some(message) = &result.message {
            self.steps.push_str(&format!("  {}\n", escaped(message)));
        }
    }

    /// Rows of a check that all hold: a row for all of them, and each to be unfolded behind the table.
    fn folded(&mut self, check: &str, rows: &[(Place, ExpectResult)]) {
        let took = rows.iter().map(|(_, row)| row.elapsed.0).fold(0.0, f64::max);
        let what = format!("{} of {}", rows.len(), cell_code(check));
        self.row("✅", &what, "hold", "hold", &time(Seconds(took)));
        let told: String = rows.iter().map(|(place, result)| evidence(place, result)).collect();
        let summary = markup(check);
        self.notes.push_str(&format!(
            "\n<details><summary>{} of {summary}</summary>\n\n{HEAD}{told}\n</details>\n",
            rows.len()
        ));
    }

    /// A row of a run's evidence; what differs in more than a few words stands behind the table.
    fn evidence(&mut self, place: &Place, result: &ExpectResult) {
        self.table.push_str(&evidence(place, result));
        let long =
            !result.diff.is_empty() || result.expected.chars().count().max(result.actual.chars().count()) > SHORT;
        if result.state == State::Differs && long {
            let what = called(place, result, code);
            self.notes.push_str(&format!("\n{what}:\n\n{}", fenced("diff", &difference(result), "")));
        }
    }

    fn finish(&mut self, head: impl FnOnce(&[Sum]) -> String) {
        self.flush();
        let open = self.open.as_ref().map(|(step, _)| step.clone());
        self.end_step(open.as_deref().unwrap_or_default(), StepOutcome::Passed, None, None);
        let head = head(&self.sums);
        let mut foot = String::new();
        if !self.signed.is_empty() {
            let head = "| what | as | by | when | answer |\n| --- | --- | --- | --- | --- |\n";
            foot.push_str(&format!("\n### Sign-offs\n\n{head}{}", self.signed));
        }
        if !self.facts.is_empty() {
            foot.push_str(&format!("\n### The run\n\n{}", self.facts));
        }
        let _ = write!(self.out, "## {}\n\n{head}{}{foot}", escaped(&self.title), self.steps);
        let _ = self.out.flush();
    }

    /// Sums a step up, if it was begun.
    fn end_step(&mut self, name: &str, outcome: StepOutcome, reason: Option<&str>, took: Option<Seconds>) {
        let Some((step, title)) = self.open.take_if(|(step, _)| step == name) else { return };
        let expects = std::mem::take(&mut self.asked);
        let planned = std::mem::take(&mut self.planned);
        self.sums.push(Sum { step, title, outcome, reason: reason.map(str::to_owned), took, planned, expects });
    }
}

impl<W: Write + Send> Sink for Markdown<W> {
    fn take(&mut self, event: &Published) {
        let event = event.get();
        if let Body::ExpectEnded(result) = &event.body {
            self.asked.take(event.place.expect.as_deref().unwrap_or_default(), result);
        }
        let mut kept = None;
        let keeps = self.fold.keeps(event, |rows| kept = Some(rows));
        kept.into_iter().for_each(|kept| self.kept(kept));
        if keeps {
            return;
        }
        let rows = matches!(
            event.body,
            Body::ExpectEnded(_)
                | Body::Confirmed(_)
                | Body::ConfirmPlanned { .. }
                | Body::ActionPlanned { .. }
                | Body::ActionEnded { .. }
                | Body::ActionSkipped { .. }
                | Body::Shown { .. }
                | Body::HandlerStarted { .. }
        );
        if rows {
            self.belongs(&event.place);
        }
        match &event.body {
            Body::ActionStarted { action, .. } => self.acting = Some(action.clone()),
            Body::ActionEnded { .. } | Body::Resumed(_) => self.acting = None,
            _ => {}
        }
        let possible = event.place.possible.as_deref().map(|why| format!(" — _{}_", escaped(why))).unwrap_or_default();
        match &event.body {
            Body::RunStarted { runbook, mode, run, by, host, program, hash, owner, params, .. } => {
                self.title = runbook.clone();
                self.mode = *mode;
                if *mode == Mode::Exec {
                    let who = by.as_ref().zip(host.as_ref()).map(|(by, host)| format!("{by} on {host}"));
                    let file = event.place.file.clone().unwrap_or_default();
                    for (what, told) in [
                        ("runbook", Some(file)),
                        ("sha256", Some(hash.clone())),
                        ("run", run.clone()),
                        ("began", Some(event.time.to_string())),
                        ("by", who),
                        ("owner", owner.clone()),
                        ("with", Some(format!("runbook {program}"))),
                    ] {
                        self.facts.extend(told.map(|told| format!("- {what}: {}\n", code(&told))));
                    }
                    for param in params {
                        let told = format!("{} = {}", param.name, param.value);
                        self.facts.push_str(&format!("- param {} ({})\n", code(&told), escaped(&param.origin)));
                    }
                }
            }
            Body::StepStarted { title, attempt } => {
                self.open = event.place.step.clone().map(|step| (step, title.clone()));
                // What a dry run asks before its first step belongs to none.
                if *attempt == 1 {
                    self.asked = Asked::default();
                }
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                let name = event.place.step.as_deref().unwrap_or_default();
                let title = if title == name { String::new() } else { format!(" {}", escaped(title)) };
                self.section(&format!("{}{title}{again}", code(name)));
            }
            Body::StepEnded { outcome: StepOutcome::Skipped, reason, .. } => {
                let name = event.place.step.as_deref().unwrap_or_default();
                self.open = Some((name.to_owned(), name.to_owned()));
                self.end_step(name, StepOutcome::Skipped, reason.as_deref(), None);
                let reason = reason.as_deref().unwrap_or_default();
                // One that was come to has its heading.
                if event.place.step.is_some() && self.table.is_empty() {
                    self.section(&format!("{} skipped", code(name)));
                }
                self.steps.push_str(&format!("{}\n", escaped(reason)));
            }
            Body::StepEnded { outcome, reason, elapsed, .. } if self.mode == Mode::Exec => {
                self.flush();
                let name = event.place.step.as_deref().unwrap_or_default();
                self.end_step(name, *outcome, reason.as_deref(), Some(*elapsed));
                let word = match outcome {
                    StepOutcome::Failed => "❌ failed",
                    StepOutcome::Recovered => "↻ recovered",
                    _ => "✅ passed",
                };
                let reason = reason.as_deref().map(|reason| format!(": {}", escaped(reason))).unwrap_or_default();
                self.steps.push_str(&format!("\n{word} in {}{reason}\n", time(*elapsed)));
            }
            Body::StepEnded { reason, .. } => {
                let name = event.place.step.as_deref().unwrap_or_default();
                self.end_step(name, StepOutcome::Planned, reason.as_deref(), None);
            }
            Body::ActionPlanned { action, .. } => {
                self.planned += 1;
                self.steps.push_str(&format!("- ▷ would run {}{possible}\n", code(action)));
            }
            Body::ActionEnded { action, assumed: Some(why), .. } => {
                self.row("▷", &format!("ran {}", cell_code(action)), "done", &escaped(why), "");
            }
            Body::ActionEnded { action, error, elapsed, .. } => {
                let mark = if error.is_some() { "❌" } else { "▷" };
                let error = error.as_deref().map(escaped).unwrap_or_else(|| "done".to_owned());
                self.row(mark, &format!("ran {}", cell_code(action)), "done", &error, &time(*elapsed));
            }
            Body::ActionSkipped { action, .. } => self.tell("–", &format!("not needed: {}", cell_code(action))),
            Body::Shown { text, value } => {
                let value: Vec<String> = value.lines().take(200).map(safe).collect();
                let (value, what) = (value.join("\n"), code(text));
                match self.mode {
                    Mode::Exec => self.notes.push_str(&format!("\n{what}:\n\n{}", fenced("", &value, ""))),
                    Mode::DryRun => self.steps.push_str(&format!("- {what}\n{}", fenced("", &value, "  "))),
                }
            }
            Body::HandlerStarted { .. } => self.tell("↳", "on-failure"),
            Body::AskingAgain => self.tell("↻", "asking again what failed"),
            Body::Cancelled { reason } => self.tell("■", &escaped(reason)),
            Body::Retrying { attempt, of, .. } => self.tell("↻", &format!("retry {attempt} of {of}")),
            Body::StopHeld { reason, .. } => self.tell("■", &format!("stopped: {}", escaped(reason))),
            Body::ExpectEnded(result) => self.expect(&event.place, result),
            Body::ConfirmPlanned { text, role, .. } => {
                self.steps.push_str(&format!("- ☐ would ask {}: {}{possible}\n", escaped(role), escaped(text)));
            }
            Body::Confirmed(confirmed) => {
                let by = confirmed.by.as_deref().map(escaped).unwrap_or_default();
                let value = confirmed.value.as_ref().map(|value| format!(": {}", cell_code(value))).unwrap_or_default();
                let (text, role) = (escaped(&confirmed.text), escaped(&confirmed.role));
                let cell = |text: String| text.replace('\n', " ");
                self.signed.push_str(&cell(format!(
                    "| {text} | {role} | {} | {} | {} |",
                    if confirmed.given { by.as_str() } else { "❌ not given" },
                    confirmed.at.map(|at| escaped(&at.to_string())).unwrap_or_default(),
                    confirmed.value.as_deref().map(escaped).unwrap_or_default()
                )));
                self.signed.push('\n');
                let expected = format!("confirmed by {role}");
                match &confirmed.reason {
                    None => self.row("☑", &text, &expected, &format!("{by}{value}"), ""),
                    Some(reason) => self.row("❌", &text, &expected, &escaped(reason), ""),
                }
            }
            Body::VerdictStarted => {
                self.open = Some((VERDICT.to_owned(), VERDICT_TITLE.to_owned()));
                self.section("Verdict");
            }
            Body::Resumed(resumed) => {
                let cut_off = escaped(&resumed.cut_off.to_string());
                self.section(&format!("Resumed by {}", escaped(&resumed.by)));
                self.steps.push_str(&format!("- cut off at {cut_off}\n"));
                if let Some(doubt) = &resumed.doubt {
                    let what = if doubt.done { "counts as done" } else { "is done again" };
                    self.steps.push_str(&format!("- {} {what}: {}\n", code(&doubt.action), escaped(&doubt.because)));
                }
                self.steps.push_str(&format!("- {} expects were asked again, and hold\n\n", resumed.asked_again));
            }
            Body::RollbackStarted { reason, .. } => {
                self.section("Rolling back");
                self.steps.push_str(&format!("{}\n\n", escaped(reason)));
            }
            Body::UndoStarted { title, .. } => {
                let name = event.place.step.as_deref().unwrap_or_default();
                self.tell("◀", &format!("undoing {}: {}", cell_code(name), escaped(title)));
            }
            Body::UndoEnded(undone) => {
                if let Some(reason) = &undone.reason {
                    let mark = if undone.ok { "⚠️" } else { "❌" };
                    self.tell(mark, &escaped(reason));
                }
            }
            Body::Verdict { .. } => self.finish(|sums| head::verdict(event, sums)),
            Body::Summary { .. } => self.finish(|sums| head::summary(event, sums)),
            _ => {}
        }
    }

    fn unfinished(&mut self, why: &str) {
        if let Some(action) = self.acting.take() {
            self.row("⚠️", &format!("ran {}", cell_code(&action)), "done", "its end was not seen", "");
        }
        self.finish(|sums| head::unfinished(why, sums));
    }
}
