//! Steps, what they do, and how they are undone.

use std::io::Write;

use crate::engine::events::event::{Body, Event, Place, Seconds, StepOutcome, Undone};

use super::super::run_model::{Closed, Opened, SectionKind};
use super::super::safe::safe;
use super::super::times::time;
use super::Writer;

impl<P: Write + Send, R: Write + Send> Writer<P, R> {
    /// A step begins, or begins anew; the verdict, the rollback.
    pub(super) fn opened(&mut self, opened: &Opened) {
        self.scope.leave();
        self.line("");
        if opened.kind == SectionKind::Rollback {
            return self.rollback_started(opened.event.get());
        }
        let Opened { name, title, attempt, not_reached, .. } = opened;
        let again = if *attempt > 1 { self.paint.doubtful(&format!("  attempt {attempt}")) } else { String::new() };
        let title = title.as_ref().map(|title| format!("  {}", safe(title))).unwrap_or_default();
        if *not_reached {
            return self.line(&self.paint.dim(&format!("▷ {name}{title}  not reached")));
        }
        self.line(&format!("{} {}{title}{again}", self.paint.action("▶"), self.paint.bold(name)));
    }

    pub(super) fn closed(&mut self, closed: &Closed) {
        let Some((outcome, reason, elapsed)) = closed.step() else { return };
        let name = &closed.name;
        let reason = reason.map(|reason| format!("  {}", safe(reason))).unwrap_or_default();
        match outcome {
            StepOutcome::Skipped => {
                self.line("");
                self.line(&self.paint.dim(&format!("– {name}  skipped:{reason}")));
            }
            StepOutcome::Failed => {
                let text = format!("✗ {name} failed  {}", time(elapsed));
                self.line(&self.paint.bad(&text));
            }
            StepOutcome::Recovered => {
                let text = format!("↻ {name} recovered  {}", time(elapsed));
                self.line(&self.paint.doubtful(&text));
            }
            StepOutcome::Passed | StepOutcome::Planned if !reason.is_empty() => {
                self.line(&self.paint.dim(&format!(" {reason}")));
            }
            _ => {}
        }
    }

    /// A command, with a mark before its first line.
    pub(super) fn action(&mut self, action: &str) {
        for (at, line) in action.lines().enumerate() {
            let mark = if at == 0 { "$" } else { " " };
            self.line(&format!("  {} {}", self.paint.action(mark), safe(line)));
        }
    }

    pub(super) fn action_ended(&mut self, event: &Event, started: bool) {
        let Body::ActionEnded { action, error, elapsed, assumed, .. } = &event.body else { return };
        match error {
            // It was said where the run was resumed.
            _ if assumed.is_some() => {}
            Some(error) if !started => {
                self.belongs(&event.place);
                self.action(action);
                self.line(&self.paint.bad(&format!("    ✗ {}", safe(error))));
            }
            Some(error) => {
                let text = format!("    ✗ {}  {}", safe(error), time(*elapsed));
                self.line(&self.paint.bad(&text));
            }
            None if elapsed.0 >= 1.0 => self.line(&self.paint.dim(&format!("    {}", time(*elapsed)))),
            None => {}
        }
    }

    pub(super) fn not_needed(&mut self, action: &str) {
        for (at, line) in action.lines().enumerate() {
            let mark = if at == 0 { "– not needed:" } else { "             " };
            self.line(&self.paint.dim(&format!("  {mark} {}", safe(line))));
        }
    }

    fn rollback_started(&mut self, event: &Event) {
        let Body::RollbackStarted { reason, steps, stays, stops_at } = &event.body else { return };
        self.line(&self.paint.doubtful(&format!("◀ rolling back: {}", safe(reason))));
        let facts = [
            ("undone, in this order", steps.join(", ")),
            ("stays, without a rollback", stays.join(", ")),
            ("no way back from", stops_at.clone().unwrap_or_default()),
        ];
        for (what, steps) in facts.iter().filter(|(_, steps)| !steps.is_empty()) {
            self.line(&self.paint.dim(&format!("      {what}: {steps}")));
        }
        if steps.is_empty() {
            self.line(&self.paint.dim("      nothing that has begun can be undone"));
        }
    }

    pub(super) fn undo_started(&mut self, place: &Place, title: &str, within: Option<Seconds>) {
        self.scope.enter(place.part);
        let name = place.step.as_deref().unwrap_or_default();
        let within = within.map(|within| format!("  within {}", time(within))).unwrap_or_default();
        self.line("");
        let title = if title == name { String::new() } else { format!("  {}", safe(title)) };
        let mark = self.paint.doubtful("◀");
        self.line(&format!("{mark} {}{title}{}", self.paint.bold(name), self.paint.dim(&within)));
    }

    pub(super) fn undo_ended(&mut self, place: &Place, undone: &Undone) {
        let name = place.step.as_deref().unwrap_or_default();
        match &undone.reason {
            Some(reason) if undone.ok => {
                self.line(&self.paint.doubtful(&format!("! {name} was undone, but {}", safe(reason))));
            }
            Some(_) => {
                let text = format!("✗ {name} could not be undone  {}", time(undone.elapsed));
                self.line(&self.paint.bad(&text));
            }
            None => {}
        }
    }
}
