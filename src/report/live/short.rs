//! What stays of a run on a terminal: a line for a step that passed; of one that did not go smoothly what did not, and the action
//! that it happened behind.
//!
//! In: entries. Out: lines, as [`Writer`] shows them.

use std::collections::VecDeque;
use std::io::Write;

use crate::engine::events::event::{Body, State, StepOutcome};
use crate::engine::world::Stream;

use super::super::run_model::{Closed, Entry, Opened, Row, SectionKind};
use super::super::safe::safe;
use super::super::style::Paint;
use super::super::text::Writer;
use super::super::times::time;

/// So many of the last lines of a command that failed stay.
const FAILED: usize = 20;

/// So many of one that did not, in a step that did not go smoothly.
const DONE: usize = 5;

pub(super) struct Short<P, R> {
    above: P,
    pub writer: Writer<P, R>,
    paint: Paint,
    step: Option<Step>,
    last: Printed,
}

/// What stands above: whether a blank line belongs between.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Printed {
    Line,
    Block,
}

/// The step that goes on.
struct Step {
    opened: Opened,
    /// Its heading stays already.
    told: bool,
    held: usize,
    /// The last action, and what it printed last: shown if it turns out to matter.
    action: Option<Entry>,
    output: VecDeque<(Stream, String)>,
    left_out: u64,
}

impl<P: Write + Send, R: Write + Send> Short<P, R> {
    pub fn new(above: P, writer: Writer<P, R>, paint: Paint) -> Self {
        Self { above, writer, paint, step: None, last: Printed::Block }
    }

    fn stays(&mut self, line: &str) {
        let _ = self.above.write_all(format!("{line}\n").as_bytes());
    }

    pub fn all_of_it(&mut self, run: &str) {
        self.stays(&self.paint.dim(&format!("  all of it: runbook report {run}")));
    }

    /// Something that has to be shown happened: the step's heading stays, and the action that it happened behind.
    fn tell(&mut self, lines: usize) {
        let Some(step) = &mut self.step else { return };
        if !std::mem::replace(&mut step.told, true) {
            self.writer.show(&Entry::Opened(step.opened.clone()));
            self.last = Printed::Block;
        }
        self.tell_action(lines);
    }

    /// The last action, and the last lines that it printed.
    fn tell_action(&mut self, lines: usize) {
        let Some(step) = &mut self.step else { return };
        if let Some(action) = step.action.take() {
            self.writer.show(&action);
        }
        let more = step.output.len().saturating_sub(lines);
        step.output.drain(..more);
        let left_out = std::mem::take(&mut step.left_out) + more as u64;
        let output = std::mem::take(&mut step.output);
        if left_out > 0 {
            self.stays(&self.paint.dim(&format!("    │ … {left_out} lines before these")));
        }
        for (stream, line) in output {
            self.writer.printed(stream, &line);
        }
    }

    /// A step that ended without anything to tell is a line.
    fn passed(&mut self, step: &Step, closed: &Closed) {
        let mut facts = Vec::new();
        if step.held > 0 {
            facts.push(format!("{} held", step.held));
        }
        let took = std::time::Duration::try_from_secs_f64(closed.ended - closed.began).unwrap_or_default();
        facts.push(time(closed.step().map_or(took.into(), |(_, _, elapsed)| elapsed)));
        let title = match &step.opened.title {
            Some(title) if !step.told => format!("  {}", safe(title)),
            _ => String::new(),
        };
        if self.last == Printed::Block && !step.told {
            self.stays("");
        }
        let (mark, facts) = (self.paint.good("✓"), self.paint.dim(&format!("  {}", facts.join(" · "))));
        let name = self.paint.bold(&closed.name);
        self.stays(&format!("{mark} {name}{title}{facts}"));
        self.last = if step.told { Printed::Block } else { Printed::Line };
    }

    fn begin(&mut self, opened: Opened) {
        self.step = Some(Step { opened, told: false, held: 0, action: None, output: VecDeque::new(), left_out: 0 });
    }

    fn closed(&mut self, closed: Closed) {
        let Some((outcome, reason, _)) = closed.step() else {
            // What decides has no end of its own; a step that was cut off is shown as far as it came.
            if let Some(step) = self.step.take_if(|step| step.opened.kind == SectionKind::Verdict)
                && !step.told
            {
                self.passed(&step, &closed);
            }
            return;
        };
        match (outcome, reason) {
            (StepOutcome::Passed, None) => {
                if let Some(step) = self.step.take() {
                    self.passed(&step, &closed);
                }
            }
            (outcome, _) => {
                if outcome == StepOutcome::Passed {
                    self.tell(DONE);
                }
                self.step = None;
                self.whole(Entry::Closed(closed));
            }
        }
    }

    /// Shows an entry as it is.
    fn whole(&mut self, entry: Entry) {
        self.writer.show(&entry);
        self.last = Printed::Block;
    }

    /// Rows that hold, of which it is enough to know how many; but who is asked next sees what is ticked.
    fn held(&mut self, count: usize, on_checklist: bool, entry: Entry) {
        if let Some(step) = &mut self.step {
            step.held += count;
        }
        if on_checklist {
            self.tell(DONE);
            self.writer.show(&entry);
        }
    }

    /// What happened before the run was resumed: of the step that goes on it is known that it does.
    pub fn recall(&mut self, entry: Entry) {
        match entry {
            Entry::Opened(opened) => self.begin(opened),
            Entry::Closed(_) => self.step = None,
            _ => {}
        }
    }

    pub fn show(&mut self, entry: Entry) {
        let body = match &entry {
            Entry::Told(event) | Entry::ActionEnded { event, .. } | Entry::Row(event, _) => Some(&event.get().body),
            _ => None,
        };
        match (&entry, body) {
            (Entry::Run(_) | Entry::Decided(_), _) => self.writer.show(&entry),
            (Entry::Asked(_), _) => {}
            (Entry::Opened(opened), _) if opened.attempt == 1 && opened.kind != SectionKind::Rollback => {
                self.begin(opened.clone());
            }
            (Entry::Closed(closed), _) => self.closed(closed.clone()),
            (Entry::Row(event, _), _) if Row::of(event.get()).is_some_and(|row| row.result.state == State::Holds) => {
                self.held(1, event.get().place.checklist.is_some(), entry);
            }
            (Entry::Collapsed(collapsed), _) => {
                self.held(collapsed.count, collapsed.place.checklist.is_some(), entry);
            }
            (_, Some(Body::ActionStarted { .. })) => {
                let Some(step) = &mut self.step else { return self.writer.show(&entry) };
                step.action = Some(entry);
                step.output.clear();
                step.left_out = 0;
                if step.told {
                    self.tell_action(0);
                }
            }
            (_, Some(Body::Output { stream, text })) => {
                let Some(step) = &mut self.step else { return self.writer.show(&entry) };
                step.output.extend(text.split('\n').map(|line| (*stream, line.to_owned())));
                let over = step.output.len().saturating_sub(FAILED);
                step.output.drain(..over);
                step.left_out += over as u64;
            }
            (_, Some(Body::OutputLeftOut { lines, .. })) => match &mut self.step {
                Some(step) => step.left_out += lines,
                None => self.writer.show(&entry),
            },
            (_, Some(Body::ActionEnded { error: None, .. })) => match &self.step {
                Some(step) if !step.told => {}
                _ => {
                    self.tell_action(DONE);
                    self.writer.show(&entry);
                }
            },
            // These have nothing to show that stays.
            (
                _,
                Some(
                    Body::GroupEnded { .. }
                    | Body::Baseline { .. }
                    | Body::Probed { .. }
                    | Body::Bound { .. }
                    | Body::ActionSkipped { .. },
                ),
            ) => {}
            (_, Some(Body::Condition { value, .. })) if !value.starts_with("unknown") => {}
            (_, body) => {
                self.tell(if matches!(body, Some(Body::ActionEnded { .. })) { FAILED } else { DONE });
                self.whole(entry);
            }
        }
    }
}
