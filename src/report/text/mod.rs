//! A run as a person reads it: plain lines, in colour where that is wanted. What a server or command says is made harmless
//! first.

mod end;
mod row;

use std::io::Write;

use crate::check::program::{VERDICT, VERDICT_TITLE};
use crate::engine::events::event::{Body, Changes, Event, Mode, Part, Place, Published, Resumed, Sink, StepOutcome};
use crate::engine::world::Stream;

use super::fold::{Fold, Kept};
use super::left_out;
use super::safe::safe;
use super::style::Paint;
use super::times::{time, wall};

/// What a text form is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub colour: bool,
    /// Only the end is told.
    pub quiet: bool,
    /// Bindings, conditions and probes are told, too.
    pub verbose: bool,
}

/// Writes the course of a run to `progress`, and its result to `result`.
pub struct Text<P, R> {
    progress: P,
    result: R,
    settings: Settings,
    paint: Paint,
    mode: Mode,
    last_possible: Option<String>,
    last_part: Option<Part>,
    last_checklist: Option<String>,
    probes: Vec<String>,
    fold: Fold,
    /// An action is being carried out.
    acting: bool,
}

impl<P: Write + Send, R: Write + Send> Text<P, R> {
    pub fn new(progress: P, result: R, settings: Settings) -> Self {
        Self {
            progress,
            result,
            settings,
            paint: Paint { on: settings.colour },
            mode: Mode::Exec,
            last_possible: None,
            last_part: None,
            last_checklist: None,
            probes: Vec::new(),
            fold: Fold::counting(),
            acting: false,
        }
    }

    fn line(&mut self, text: &str) {
        let out: &mut dyn Write = match self.mode {
            Mode::Exec => &mut self.progress,
            // The plan is the result.
            Mode::DryRun => &mut self.result,
        };
        if !(self.settings.quiet && self.mode == Mode::Exec) {
            // One write a line: what others print stays between the lines.
            let _ = out.write_all(format!("{text}\n").as_bytes());
            let _ = out.flush();
        }
    }

    fn end(&mut self, text: &str) {
        let _ = self.result.write_all(format!("{text}\n").as_bytes());
        let _ = self.result.flush();
    }

    /// Tells where the next lines belong, where that changes: a handler, `finally`, a branch that may be taken.
    fn belongs(&mut self, place: &Place) {
        if self.last_part != place.part {
            self.last_part = place.part;
            match place.part {
                Some(Part::Finally) => self.line(&self.paint.dim("  finally")),
                Some(Part::OnFailure) if self.mode == Mode::DryRun => self.line(&self.paint.dim("  on-failure")),
                Some(Part::Rollback) if self.mode == Mode::DryRun => self.line(&self.paint.dim("  rollback")),
                _ => {}
            }
        }
        if self.last_checklist != place.checklist {
            self.last_checklist.clone_from(&place.checklist);
            if let Some(title) = &place.checklist {
                let text = format!("  checklist: {}", safe(title));
                self.line(&self.paint.dim(&text));
            }
        }
        if self.last_possible != place.possible {
            self.last_possible = place.possible.clone();
            if let Some(possible) = &place.possible {
                let text = format!("  ? {}", safe(possible));
                self.line(&self.paint.doubtful(&text));
            }
        }
    }

    fn started(&mut self, event: &Event) {
        let Body::RunStarted { mode, run, runbook, owner, params, partial, hash, .. } = &event.body else { return };
        self.mode = *mode;
        let what = match mode {
            Mode::Exec => "",
            Mode::DryRun => "  dry run: nothing is changed",
        };
        let title = format!("{}{}", self.paint.bold(&safe(runbook)), self.paint.dim(what));
        self.line(&title);
        let mut facts = Vec::new();
        if let Some(file) = &event.place.file {
            facts.push(format!("{file} {}", &hash[..hash.len().min(12)]));
        }
        facts.extend(owner.iter().map(|owner| format!("owner {}", safe(owner))));
        facts.extend(partial.iter().map(|partial| format!("partial: {partial}")));
        facts.extend(run.iter().map(|run| format!("run {run}")));
        self.line(&self.paint.dim(&facts.join(" · ")));
        for param in params {
            let origin = if param.origin == "default" { String::new() } else { format!("  ({})", safe(&param.origin)) };
            self.line(&self.paint.dim(&format!("  {} = {}{origin}", param.name, safe(&param.value))));
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
            Kept::Many { place, check, count: held, as_of_now, .. } => {
                self.belongs(&place);
                let dry = self.mode == Mode::DryRun;
                let now = if dry { self.paint.dim("holds now  ") } else { String::new() };
                let verb = if dry { "hold" } else { "held" };
                let count = self.paint.dim(&format!("  {held} {verb}"));
                let as_of_now = match as_of_now {
                    0 => String::new(),
                    count if count == held => self.paint.doubtful("  as of now"),
                    count => self.paint.doubtful(&format!("  {count} as of now")),
                };
                self.line(&format!("  {} {now}{}{count}{as_of_now}", self.paint.good("✓"), safe(&check)));
            }
        }
    }

    fn action(&mut self, action: &str) {
        for (at, line) in action.lines().enumerate() {
            let mark = if at == 0 { "$" } else { " " };
            self.line(&format!("  {} {}", self.paint.action(mark), safe(line)));
        }
    }

    /// Lines that an action printed: one write for all of them.
    pub(super) fn printed(&mut self, stream: Stream, text: &str) {
        let bar = if stream == Stream::Stderr { self.paint.doubtful("│") } else { self.paint.dim("│") };
        let lines = text.split('\n').map(|line| format!("    {bar} {}", self.paint.dim(&safe(line))));
        let lines = lines.collect::<Vec<_>>().join("\n");
        self.line(&lines);
    }

    fn resumed(&mut self, resumed: &Resumed) {
        self.last_part = None;
        self.line("");
        let during = resumed.during.as_ref().map(|step| format!(" in step {step}")).unwrap_or_default();
        let text = format!("⏵ resumed by {} on {}", safe(&resumed.by), safe(&resumed.host));
        self.line(&self.paint.doubtful(&text));
        let mut told = vec![format!("was cut off{during} at {}", wall(resumed.cut_off))];
        if let Some(doubt) = &resumed.doubt {
            let what = if doubt.done { "counts as done" } else { "is done again" };
            told.push(format!("in doubt: {}", safe(&doubt.action)));
            told.push(format!("{what}: {}", safe(&doubt.because)));
        }
        match resumed.asked_again {
            0 => {}
            1 => told.push("1 expect of what was done was asked again, and holds".to_owned()),
            many => told.push(format!("{many} expects of what was done were asked again, and hold")),
        }
        told.extend(resumed.redo.iter().map(|step| format!("again from its top: step {step}")));
        told.extend(
            resumed.changed.iter().map(|hash| format!("with a changed runbook: {}", &hash[..hash.len().min(12)])),
        );
        told.extend(resumed.torn.map(|bytes| format!("the record's last line was torn: {bytes} bytes were left out")));
        for told in told {
            self.line(&self.paint.dim(&format!("      {told}")));
        }
    }
}

impl<P: Write + Send, R: Write + Send> Sink for Text<P, R> {
    fn take(&mut self, event: &Published) {
        let event = event.get();
        let place = &event.place;
        let acting = self.acting;
        if matches!(event.body, Body::ActionEnded { .. }) {
            self.acting = false;
        }
        if !self.settings.verbose {
            let mut kept = None;
            let mut fold = std::mem::take(&mut self.fold);
            let keeps = fold.keeps(event, |rows| kept = Some(rows));
            self.fold = fold;
            kept.into_iter().for_each(|kept| self.kept(kept));
            if keeps {
                return;
            }
        }
        match &event.body {
            Body::RunStarted { .. } => self.started(event),
            Body::StepStarted { title, attempt } => {
                self.last_part = None;
                self.last_possible = None;
                self.last_checklist = None;
                let again =
                    if *attempt > 1 { self.paint.doubtful(&format!("  attempt {attempt}")) } else { String::new() };
                let name = place.step.as_deref().unwrap_or_default();
                self.line("");
                let title = if title == name { String::new() } else { format!("  {}", safe(title)) };
                self.line(&format!("{} {}{title}{again}", self.paint.action("▶"), self.paint.bold(name)));
            }
            Body::StepEnded { outcome, reason, elapsed, .. } => {
                let name = place.step.as_deref().unwrap_or_default();
                let reason = reason.as_deref().map(|reason| format!("  {}", safe(reason))).unwrap_or_default();
                match outcome {
                    StepOutcome::Skipped => {
                        self.line("");
                        self.line(&self.paint.dim(&format!("– {name}  skipped:{reason}")));
                    }
                    StepOutcome::Failed => {
                        let text = format!("✗ {name} failed  {}", time(*elapsed));
                        self.line(&self.paint.bad(&text));
                    }
                    StepOutcome::Recovered => {
                        let text = format!("↻ {name} recovered  {}", time(*elapsed));
                        self.line(&self.paint.doubtful(&text));
                    }
                    StepOutcome::Passed | StepOutcome::Planned if !reason.is_empty() => {
                        self.line(&self.paint.dim(&format!(" {reason}")));
                    }
                    _ => {}
                }
            }
            Body::Bound { name, value, .. } if self.settings.verbose => {
                self.belongs(place);
                self.line(&self.paint.dim(&format!("  {name} = {}", safe(value))));
            }
            Body::Condition { text, value, .. } if self.settings.verbose || value.starts_with("unknown") => {
                self.belongs(place);
                self.line(&self.paint.dim(&format!("  {} is {}", safe(text), safe(value))));
            }
            Body::Shown { text, value } => {
                self.belongs(place);
                self.line(&format!("  {} {}", self.paint.dim("·"), self.paint.dim(&safe(text))));
                for line in value.lines().take(200) {
                    self.line(&format!("    {} {}", self.paint.dim("│"), safe(line)));
                }
            }
            Body::Probed { call, confinement, elapsed, .. } => {
                let held = match confinement {
                    Some(crate::engine::world::Confinement::Sandbox) => "  in the sandbox",
                    Some(crate::engine::world::Confinement::Network) => "  in the sandbox, with the network",
                    Some(crate::engine::world::Confinement::Trusted) => "  on its author's word",
                    Some(crate::engine::world::Confinement::NotAsked) => "  not made",
                    None => "",
                };
                self.probes.push(format!("{}{held}  {}", safe(call), time(*elapsed)));
            }
            Body::ActionStarted { action, .. } => {
                self.acting = true;
                self.belongs(place);
                self.action(action);
            }
            Body::Output { stream, text } => self.printed(*stream, text),
            Body::OutputLeftOut { stream, bytes, lines } => self.printed(*stream, &left_out(*bytes, *lines)),
            // It was told where the run was resumed.
            Body::ActionEnded { assumed: Some(_), .. } => {}
            // It was not even started.
            Body::ActionEnded { action, error: Some(error), .. } if !acting => {
                self.belongs(place);
                self.action(action);
                self.line(&self.paint.bad(&format!("    ✗ {}", safe(error))));
            }
            Body::ActionEnded { error, elapsed, .. } => match error {
                Some(error) => {
                    let text = format!("    ✗ {}  {}", safe(error), time(*elapsed));
                    self.line(&self.paint.bad(&text));
                }
                None if elapsed.0 >= 1.0 => self.line(&self.paint.dim(&format!("    {}", time(*elapsed)))),
                None => {}
            },
            Body::ActionPlanned { action, changes } => {
                self.belongs(place);
                let changes = match changes {
                    Changes::Everything => String::new(),
                    Changes::Keys(keys) if keys.is_empty() => "  changes nothing".to_owned(),
                    Changes::Keys(keys) => format!("  changes {}", keys.join(", ")),
                };
                for (at, line) in action.lines().enumerate() {
                    let mark = if at == 0 { "would run $" } else { "           " };
                    let changes = if at == 0 { self.paint.dim(&safe(&changes)) } else { String::new() };
                    self.line(&format!("  {} {}{changes}", self.paint.action(mark), safe(line)));
                }
            }
            Body::ActionSkipped { action, .. } => {
                self.belongs(place);
                self.line(&self.paint.dim(&format!("  – not needed: {}", safe(action))));
            }
            Body::ExpectEnded(result) => {
                self.belongs(place);
                self.expect(place, result);
            }
            Body::ExpectStarted { .. } | Body::ExpectAsked { .. } | Body::ExpectDecided { .. } => {}
            Body::HandlerStarted { .. } => {
                self.last_part = place.part;
                self.line(&self.paint.doubtful("  ↳ on-failure"));
            }
            Body::Retrying { attempt, of, after } => {
                let after = if after.0 > 0.0 { format!(", after {}", time(*after)) } else { String::new() };
                self.line(&self.paint.doubtful(&format!("  ↻ retry {attempt} of {of}{after}")));
            }
            Body::AskingAgain => self.line(&self.paint.doubtful("  ↻ asking again what failed")),
            Body::StopHeld { reason, text, actual, .. } => {
                self.line("");
                self.line(&self.paint.bad(&format!("■ stop: {}", safe(reason))));
                self.line(&self.paint.dim(&format!("      {} · {}", safe(text), safe(actual))));
            }
            Body::Cancelled { reason } => {
                let text = format!("■ {}", safe(reason));
                self.line(&self.paint.doubtful(&text));
            }
            Body::Verdict { .. } => self.verdict(event),
            Body::Summary { .. } => self.summary(event),
            Body::StopPredicted { .. }
            | Body::PreflightStarted
            | Body::PreflightChecked(_)
            | Body::PreflightEnded { .. }
            | Body::RunEndsHere { .. } => {}
            Body::ConfirmPlanned { text, role, answer } => {
                self.belongs(place);
                let answer = answer.as_ref().map(|answer| format!("  {}", safe(answer))).unwrap_or_default();
                let mark = self.paint.action("would ask");
                self.line(&format!("  {mark} {}: {}{}", safe(role), safe(text), self.paint.dim(&answer)));
            }
            Body::ConfirmAsked { text, role } => {
                self.belongs(place);
                self.line(&format!("  {} {}  {}", self.paint.action("☐"), safe(text), self.paint.dim(&safe(role))));
            }
            Body::Confirmed(confirmed) => {
                let by = confirmed.by.as_deref().unwrap_or_default();
                let value = confirmed.value.as_ref().map(|value| format!(": {}", safe(value))).unwrap_or_default();
                let at = confirmed.at.map(|at| format!("  {}", wall(at))).unwrap_or_default();
                if confirmed.given {
                    let told = format!("  {} confirmed by {}{value}", self.paint.good("☑"), safe(by));
                    self.line(&format!("{told}{}", self.paint.dim(&at)));
                } else {
                    let reason = safe(confirmed.reason.as_deref().unwrap_or_default());
                    self.line(&format!("  {} {}", self.paint.bad("✗"), self.paint.bad(&reason)));
                }
            }
            Body::VerdictStarted => {
                self.last_part = None;
                self.last_possible = None;
                self.last_checklist = None;
                self.line("");
                self.line(&format!("{} {}  {VERDICT_TITLE}", self.paint.action("▶"), self.paint.bold(VERDICT)));
            }
            Body::Resumed(resumed) => self.resumed(resumed),
            Body::RollbackStarted { reason, steps, stays, stops_at } => {
                self.last_part = None;
                self.line("");
                let text = format!("◀ rolling back: {}", safe(reason));
                self.line(&self.paint.doubtful(&text));
                let told = [
                    ("undone, in this order", steps.join(", ")),
                    ("stays, without a rollback", stays.join(", ")),
                    ("no way back from", stops_at.clone().unwrap_or_default()),
                ];
                for (what, steps) in told.iter().filter(|(_, steps)| !steps.is_empty()) {
                    self.line(&self.paint.dim(&format!("      {what}: {steps}")));
                }
                if steps.is_empty() {
                    self.line(&self.paint.dim("      nothing that has begun can be undone"));
                }
            }
            Body::UndoStarted { title, within } => {
                self.last_part = place.part;
                let name = place.step.as_deref().unwrap_or_default();
                let within = within.map(|within| format!("  within {}", time(within))).unwrap_or_default();
                self.line("");
                let title = if title == name { String::new() } else { format!("  {}", safe(title)) };
                let mark = self.paint.doubtful("◀");
                self.line(&format!("{mark} {}{title}{}", self.paint.bold(name), self.paint.dim(&within)));
            }
            Body::UndoEnded(undone) => {
                let name = place.step.as_deref().unwrap_or_default();
                match &undone.reason {
                    Some(reason) if undone.ok => {
                        self.line(&self.paint.doubtful(&format!("! {name} was undone, but {}", safe(reason))))
                    }
                    Some(_) => {
                        let text = format!("✗ {name} could not be undone  {}", time(undone.elapsed));
                        self.line(&self.paint.bad(&text));
                    }
                    None => {}
                }
            }
            Body::Bound { .. } | Body::Condition { .. } | Body::Baseline { .. } | Body::GroupEnded { .. } => {}
        }
    }
}
