//! What a made-up runbook has to come to in its world, worked out a second time: the rules of `docs/language.md` on failure,
//! ways back and the verdict, without a journal, without tasks, and one statement after the other.

use std::collections::BTreeMap;

use runbook::engine::events::event::{State, StepOutcome};

use crate::book::{Book, Expect, Step, Stmt};
use crate::fake_world::*;
use crate::polls::{Poll, decide};

/// What it comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Each command: when it begins, and whether it does what it should in its time.
    pub acts: Vec<(Ms, String, bool)>,
    /// Each expect, in the order in which it is told.
    pub rows: Vec<(String, State)>,
    pub steps: Vec<(String, StepOutcome)>,
    /// Each step that is undone, and whether it could be.
    pub undone: Vec<(String, bool)>,
    pub go: bool,
    /// Whether anything that blocks was seen to hold.
    pub proven: bool,
    pub took: Ms,
}

enum Halt {
    Failed,
    Retry(Ms),
}

#[derive(Clone, Copy, PartialEq)]
enum Within {
    Body,
    Handler,
    Elsewhere,
}

struct Walk<'b> {
    book: &'b Book,
    world: Spec,
    course: Course,
    /// The steps whose first command has begun.
    begun: Vec<usize>,
    asks_for_rollback: bool,
    retries: BTreeMap<usize, u32>,
    recovered: bool,
    needless: bool,
    ensured: bool,
}

pub fn course(book: &Book, world: &Spec) -> Course {
    let mut walk = Walk {
        book,
        world: world.clone(),
        course: Course::default(),
        begun: Vec::new(),
        asks_for_rollback: false,
        retries: BTreeMap::new(),
        recovered: false,
        needless: false,
        ensured: false,
    };
    let mut failed = false;
    for (at, step) in book.steps.iter().enumerate() {
        let outcome = if failed { StepOutcome::Skipped } else { walk.step(at, step) };
        failed |= outcome == StepOutcome::Failed;
        walk.course.steps.push((step.name.clone(), outcome));
    }
    if !failed && !book.verdict.is_empty() {
        failed = !walk.group("verdict", &book.verdict, "");
    }
    walk.course.go = !failed;
    if failed && (walk.asks_for_rollback || book.roll_back_on_stop) {
        walk.roll_back();
    }
    walk.course.took = walk.world.at - world.at;
    walk.course
}

impl Walk<'_> {
    fn seen(&self, poll: &Poll) -> State {
        poll.state(self.world.facts[&poll.fact].at(self.world.at))
    }

    fn step(&mut self, at: usize, step: &Step) -> StepOutcome {
        (self.retries, self.recovered) = (BTreeMap::new(), false);
        if let Some(when) = &step.when {
            match self.seen(when) {
                State::Holds => {}
                State::Differs => return StepOutcome::Skipped,
                _ => return StepOutcome::Failed,
            }
        }
        loop {
            self.needless = step.if_needed
                && step
                    .body
                    .iter()
                    .filter_map(Stmt::group)
                    .flatten()
                    .all(|expect| self.seen(&expect.poll) == State::Holds);
            let body = self.stmts(at, &step.body, "", Within::Body);
            let cleaned = match &step.finally {
                Some(finally) => self.stmts(at, finally, "", Within::Elsewhere).is_ok(),
                None => true,
            };
            self.needless = false;
            match body {
                Ok(()) if cleaned && self.recovered => return StepOutcome::Recovered,
                Ok(()) if cleaned => return StepOutcome::Passed,
                Err(Halt::Retry(after)) if cleaned => {
                    self.world.at += after;
                    self.recovered = true;
                }
                _ => return StepOutcome::Failed,
            }
        }
    }

    fn stmts(&mut self, at: usize, stmts: &[Stmt], keys: &str, within: Within) -> Result<(), Halt> {
        for (nth, stmt) in stmts.iter().enumerate() {
            match stmt {
                Stmt::Run { command, timeout } => {
                    if self.ensured || self.needless && within != Within::Handler {
                        continue;
                    }
                    if !self.act(at, command, *timeout) {
                        self.handle(at, keys, within)?;
                        return Err(Halt::Failed);
                    }
                }
                Stmt::Group(group) => {
                    let step = self.book.steps[at].name.clone();
                    if self.group(&step, group, keys) {
                        continue;
                    }
                    if !self.handle(at, keys, within)? || !self.group(&step, group, keys) {
                        return Err(Halt::Failed);
                    }
                    self.recovered = true;
                }
                Stmt::If { poll, then, otherwise } => match self.seen(poll) {
                    State::Holds => self.stmts(at, then, keys, within)?,
                    State::Differs => self.stmts(at, otherwise.as_deref().unwrap_or_default(), keys, within)?,
                    _ => {
                        self.handle(at, keys, within)?;
                        return Err(Halt::Failed);
                    }
                },
                Stmt::For { items, body } => {
                    for item in items {
                        self.stmts(at, body, &format!("{keys}[{item}]"), within)?;
                    }
                }
                Stmt::Confirm { text } => {
                    let (takes, says) = self.world.people[text];
                    self.world.at += takes;
                    if says != Says::Yes {
                        self.handle(at, keys, within)?;
                        return Err(Halt::Failed);
                    }
                }
                Stmt::Call { action, ensure } => {
                    let body = self.book.actions[*action].clone();
                    // Of what is not needed nothing is looked at, and nothing asked.
                    if self.ensured || self.needless && within != Within::Handler {
                        continue;
                    }
                    let mut groups = body.iter().filter_map(Stmt::group).flatten();
                    self.ensured = *ensure && groups.all(|expect| self.seen(&expect.poll) == State::Holds);
                    let done = self.stmts(at, &body, keys, within);
                    self.ensured = false;
                    done?;
                }
                Stmt::Retry { times, after } => {
                    let used = self.retries.entry(nth).or_default();
                    if *used < *times {
                        *used += 1;
                        return Err(Halt::Retry(*after));
                    }
                }
                Stmt::Stop => return Err(Halt::Failed),
                Stmt::RollBack => {
                    self.asks_for_rollback = true;
                    return Err(Halt::Failed);
                }
            }
        }
        Ok(())
    }

    /// Whether there is a handler, which came to its end.
    fn handle(&mut self, at: usize, keys: &str, within: Within) -> Result<bool, Halt> {
        let Some(handler) = &self.book.steps[at].on_failure else { return Ok(false) };
        if within != Within::Body {
            return Ok(false);
        }
        // What a handler does is needed, whatever was ensured when it failed.
        let handler = handler.clone();
        let ensured = self.ensured;
        let done = self.stmts(at, &handler, keys, Within::Handler);
        self.ensured = ensured;
        done.map(|()| true)
    }

    fn group(&mut self, step: &str, group: &[Expect], keys: &str) -> bool {
        let began = self.world.at;
        let mut well = true;
        for Expect { name, poll, warn } in group {
            let decided = decide(poll, &self.world.facts[&poll.fact], began);
            let id = format!("{step}.{name}");
            let waived = self.book.risks.contains(&id);
            let holds = decided.state == State::Holds;
            well &= holds || *warn || waived;
            self.course.proven |= holds && !warn;
            self.course.rows.push((format!("{id}{keys}"), decided.state));
            self.world.at = self.world.at.max(decided.at);
        }
        well
    }

    fn act(&mut self, at: usize, command: &str, timeout: Option<Ms>) -> bool {
        if !self.begun.contains(&at) {
            self.begun.push(at);
        }
        let began = self.world.at;
        let manner = self.world.commands[command].next();
        let limit = timeout.unwrap_or(600_000);
        let ends = if manner.hangs { Ms::MAX } else { manner.takes };
        // Told to end, it goes on for a while; who waits for it gives up after 15 s.
        let last = if ends <= limit { ends } else { ends.min(limit + manner.deaf.min(15_000)) };
        let dropped = ends > limit && ends > limit + 15_000 && manner.deaf >= 15_000;
        let by_itself = last == ends && !dropped;
        let before = self.world.clone();
        let mut log: Vec<(Ms, Entry)> = Vec::new();
        for Effect { after, fact, how } in &manner.effects {
            if *after <= ends && *after <= last {
                let How::Set(to) = how else { continue };
                log.push((began + after, Entry::Changed { fact: fact.clone(), to: *to }));
            }
        }
        if by_itself {
            for Effect { after, fact, how } in manner.effects.iter().filter(|effect| effect.after > ends) {
                let How::Set(to) = how else { continue };
                log.push((began + last, Entry::Coming { fact: fact.clone(), when: began + after, to: *to }));
            }
        }
        let left = if dropped { Left::Dropped } else { Left::Ended };
        log.push((began + last, Entry::ActEnded { id: 0, command: command.to_owned(), left }));
        self.world = before.after(&log);
        let well = ends <= limit && manner.status == 0;
        self.course.acts.push((began, command.to_owned(), well));
        well
    }

    fn roll_back(&mut self) {
        for at in (0..self.book.steps.len()).rev() {
            let step = &self.book.steps[at];
            if !self.begun.contains(&at) {
                continue;
            }
            if step.no_return {
                return;
            }
            if let Some((_, body)) = &step.rollback {
                let done = self.stmts(at, &body.clone(), "", Within::Elsewhere).is_ok();
                self.course.undone.push((step.name.clone(), done));
            }
        }
    }
}
