//! A run as a person reads it: plain lines, in colour where that is wanted. What a server or command says is made harmless
//! first.
//!
//! In: events, as they happen. Out: lines. What changes where the next lines belong is said before them.

mod dry_run;
mod end;
mod preflight;
mod resumed;
mod row;
mod step;

use std::io::Write;

use crate::engine::events::event::{Body, Event, Mode, Part, Place, Published, Sink};
use crate::engine::world::{Confinement, Stream};

use super::left_out;
use super::run_model::{Collapsed, Collapsing, Entry, Row, RunModel, Scope, Turn, is_text};
use super::safe::safe;
use super::style::Paint;
use super::times::{time, wall};

/// So many lines of evidence are shown.
const SHOWN: usize = 200;

/// What a text form is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub colour: bool,
    /// Only the end is shown.
    pub quiet: bool,
    /// Bindings, conditions and probes are shown, too.
    pub verbose: bool,
}

/// Shows a run as it goes on.
pub struct Text<P, R> {
    model: RunModel,
    writer: Writer<P, R>,
}

impl<P: Write + Send, R: Write + Send> Text<P, R> {
    pub fn new(progress: P, result: R, settings: Settings) -> Self {
        Self { model: settings.model(), writer: Writer::new(progress, result, settings) }
    }
}

impl<P: Write + Send, R: Write + Send> Sink for Text<P, R> {
    fn take(&mut self, event: &Published) {
        for entry in self.model.take(event) {
            self.writer.show(&entry);
        }
    }

    fn unfinished(&mut self, _why: &str) {
        for entry in self.model.finish() {
            self.writer.show(&entry);
        }
    }
}

impl Settings {
    pub(super) fn model(self) -> RunModel {
        RunModel::new(if self.verbose { Collapsing::Never } else { Collapsing::Counted })
    }
}

/// Writes the course of a run to `progress`, and its result to `result`.
pub(super) struct Writer<P, R> {
    progress: P,
    result: R,
    settings: Settings,
    paint: Paint,
    mode: Mode,
    scope: Scope,
    /// The probes of a dry run, where they are shown.
    probes: Vec<String>,
}

impl<P: Write + Send, R: Write + Send> Writer<P, R> {
    pub fn new(progress: P, result: R, settings: Settings) -> Self {
        let paint = Paint { on: settings.colour };
        Self { progress, result, settings, paint, mode: Mode::Exec, scope: Scope::default(), probes: Vec::new() }
    }

    fn line(&mut self, text: &str) {
        let out: &mut dyn Write = match self.mode {
            Mode::Exec => &mut self.progress,
            // The plan is the result.
            Mode::DryRun => &mut self.result,
        };
        if !self.settings.quiet {
            // One write a line: what others print stays between the lines.
            let _ = out.write_all(format!("{text}\n").as_bytes());
            let _ = out.flush();
        }
    }

    /// A line of the result.
    fn end(&mut self, text: &str) {
        let _ = self.result.write_all(format!("{text}\n").as_bytes());
        let _ = self.result.flush();
    }

    /// Says where the next lines belong, where that changes.
    fn belongs(&mut self, place: &Place) {
        for turn in self.scope.turn(place) {
            match turn {
                Turn::Part(Part::Finally) => self.line(&self.paint.dim("  finally")),
                Turn::Part(Part::OnFailure) if self.mode == Mode::DryRun => self.line(&self.paint.dim("  on-failure")),
                Turn::Part(Part::Rollback) if self.mode == Mode::DryRun => self.line(&self.paint.dim("  rollback")),
                // In a run, these are said as they begin.
                Turn::Part(_) | Turn::Checklist(None) => {}
                Turn::Checklist(Some(title)) => {
                    self.line(&self.paint.dim(&format!("  checklist: {}", safe(&title))));
                }
                Turn::Possible(possible) => self.line(&self.paint.doubtful(&format!("  ? {}", safe(&possible)))),
            }
        }
    }

    pub fn show(&mut self, entry: &Entry) {
        match entry {
            Entry::Run(event) => self.started(event.get()),
            Entry::Preflight(preflight) => self.preflight(preflight),
            Entry::Opened(opened) => self.opened(opened),
            Entry::Closed(closed) => self.closed(closed),
            Entry::Row(event, _) => {
                if let Some(row) = Row::of(event.get()) {
                    self.belongs(row.place);
                    self.row(row);
                }
            }
            Entry::Collapsed(collapsed) => self.collapsed(collapsed),
            Entry::ActionEnded { event, started } => self.action_ended(event.get(), *started),
            Entry::Decided(event) => self.verdict(event.get()),
            Entry::Summed(event) => self.summary(event.get()),
            Entry::Asked(_) => {}
            Entry::Told(event) => self.told(event.get()),
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
            facts.push(format!("{file} {}", hash.get(..12).unwrap_or(hash)));
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

    /// Rows of a check that all hold.
    fn collapsed(&mut self, collapsed: &Collapsed) {
        let Collapsed { place, check, count: held, as_of_now, assumed, .. } = collapsed;
        self.belongs(place);
        if place.not_reached {
            return self.not_reached(&format!("{}  {held}", safe(check)));
        }
        let dry = self.mode == Mode::DryRun;
        let now = if dry { self.paint.dim("holds now  ") } else { String::new() };
        let verb = if dry { "hold" } else { "held" };
        let count = self.paint.dim(&format!("  {held} {verb}"));
        let apart: String = [(*as_of_now, "as of now"), (*assumed, "assumed")]
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| if count == held { format!("  {what}") } else { format!("  {count} {what}") })
            .collect();
        let apart = self.paint.doubtful(&apart);
        self.line(&format!("  {} {now}{}{count}{apart}", self.paint.good("✓"), safe(check)));
    }

    /// Lines that an action printed: one write for all of them.
    pub fn printed(&mut self, stream: Stream, text: &str) {
        let bar = if stream == Stream::Stderr { self.paint.doubtful("│") } else { self.paint.dim("│") };
        let lines = text.split('\n').map(|line| format!("    {bar} {}", self.paint.dim(&safe(line))));
        let lines = lines.collect::<Vec<_>>().join("\n");
        self.line(&lines);
    }

    /// Evidence. Of a text that the author wrote, it is the text.
    fn shown(&mut self, text: &str, value: &str) {
        let dot = self.paint.dim("·");
        let mut lines = value.lines();
        match is_text(text) {
            true => self.line(&format!("  {dot} {}", safe(lines.next().unwrap_or_default()))),
            false => self.line(&format!("  {dot} {}", self.paint.dim(&safe(text)))),
        }
        for line in lines.take(SHOWN) {
            self.line(&format!("    {} {}", self.paint.dim("│"), safe(line)));
        }
    }

    fn told(&mut self, event: &Event) {
        let place = &event.place;
        match &event.body {
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
                self.shown(text, value);
            }
            Body::Probed { call, confinement, elapsed, .. } if self.settings.verbose => {
                let held = match confinement {
                    Some(Confinement::Sandbox) => "  in the sandbox",
                    Some(Confinement::Network) => "  in the sandbox, with the network",
                    Some(Confinement::Trusted) => "  on its author's word",
                    Some(Confinement::NotAsked) => "  not made",
                    None => "",
                };
                if self.mode == Mode::DryRun {
                    self.probes.push(format!("{}{held}  {}", safe(call), time(*elapsed)));
                }
            }
            Body::ActionStarted { action, .. } => {
                self.belongs(place);
                self.action(action);
            }
            Body::Output { stream, text } => self.printed(*stream, text),
            Body::OutputLeftOut { stream, bytes, lines } => self.printed(*stream, &left_out(*bytes, *lines)),
            Body::ActionPlanned { action, changes } => {
                self.belongs(place);
                self.planned(place, action, changes);
            }
            Body::ActionSkipped { action, .. } => {
                self.belongs(place);
                self.not_needed(action);
            }
            Body::HandlerStarted { .. } => {
                self.scope.enter(place.part);
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
            Body::StopPredicted { reason, text, state, actual } => self.stop_predicted(reason, text, *state, actual),
            Body::RunEndsHere { certain, reason, then } => self.ends_here(*certain, reason, then),
            Body::Cancelled { reason } => self.line(&self.paint.doubtful(&format!("■ {}", safe(reason)))),
            Body::ConfirmPlanned { text, role, answer } => {
                self.belongs(place);
                self.confirm_planned(place, text, role, answer.as_deref());
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
            Body::Resumed(resumed) => self.resumed(resumed),
            Body::UndoStarted { title, within } => self.undo_started(place, title, *within),
            Body::UndoEnded(undone) => self.undo_ended(place, undone),
            // These have nothing to show here.
            _ => {}
        }
    }
}
