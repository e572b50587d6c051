//! The interpreter: the life of a step (attempt, handler, `finally`, again where the handler says so) and its statements, in
//! their order.
//!
//! In: a step of the program, and a [`Driver`]. Out: what the driver did, and what the step came to. A task is one strand of a
//! run with a history of its own; it has no effect but through its driver.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::driver::{
    At, Binding, CurrentPart, Decision, Driver, Failure, Frame, FrameKind, Halt, Leave, Need, Position, Retry, Section,
    Unneeded,
};
use super::failure::failure;
use crate::check::program::{
    Checklist, Confirm, Definition, Expr, For, Handler, If, Member, Run, RunTarget, Step, Stmt, Var,
};
use crate::diagnostic::Span;
use crate::engine::evaluation::ask::{self, Round};
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::scope::{Bound, Scope};
use crate::engine::events::event::{Part, StepOutcome};
use crate::engine::events::past::retried;
use crate::engine::expects::group;
use crate::engine::wording::describe;
use crate::value::{Answer, Truth, Type, UnknownCause};

const UNNEEDED: &str = "not needed: all that it proves held already";

/// A step on its way, or the undoing of one.
pub(super) struct Task<'c, D> {
    pub core: &'c Core,
    pub driver: D,
    pub position: Position<'c>,
    /// How it recovered, each time.
    pub recovered: Vec<String>,
    /// Whether all that the step proves holds already, so that its actions are left out.
    unneeded: Truth,
    /// Whether what is being ensured holds already.
    ensured: Truth,
}

/// What a step came to.
pub(super) struct StepEnd {
    pub outcome: StepOutcome,
    pub reason: Option<String>,
    pub attempts: u32,
}

/// What one attempt came to.
enum Attempt {
    /// Its `when` is false.
    LeftOut,
    /// What the body came to, and why `finally` failed, if it did.
    Ended(Result<(), Halt>, Option<String>),
}

impl<'c, D: Driver<'c>> Task<'c, D> {
    pub fn new(core: &'c Core, step: &'c Step, driver: D) -> Self {
        let position = Position {
            step,
            part: CurrentPart::default(),
            frames: Vec::new(),
            retries: std::collections::HashMap::new(),
        };
        Self { core, driver, position, recovered: Vec::new(), unneeded: Truth::False, ensured: Truth::False }
    }

    fn at<'a>(&'a mut self, site: &'a Site, section: Section) -> (&'a mut D, At<'a, 'c>) {
        (&mut self.driver, At { position: &mut self.position, site, section })
    }

    /// Attempt, handler, `finally`; again where the handler says so.
    ///
    /// `begun`: the attempt that had begun when the run was cut off, and when.
    pub async fn step(&mut self, begun: Option<(u32, Timestamp)>) -> Result<StepEnd, Halt> {
        let step = self.position.step;
        let mut attempt = begun.map_or(1, |(attempt, _)| attempt);
        let mut begun = begun.map(|(_, began)| began);
        loop {
            let resumed = begun.take();
            let site = Site::of(step).begun(resumed.unwrap_or_else(|| self.core.emitter.now()));
            if resumed.is_none() {
                let (driver, at) = self.at(&site, Section::Body);
                driver.attempt(at, attempt).await?;
            }
            let ended = |outcome, reason| Ok(StepEnd { outcome, reason, attempts: attempt });
            let (body, unfinished) = match self.attempt(&site, attempt).await? {
                Attempt::LeftOut => {
                    let words = step.when.as_ref().map(|when| self.core.words(when.span)).unwrap_or_default();
                    return ended(StepOutcome::Skipped, Some(format!("`when {words}` is false")));
                }
                Attempt::Ended(body, unfinished) => (body, unfinished),
            };
            return match (body, unfinished) {
                (Ok(()), None) if self.recovered.is_empty() => {
                    ended(StepOutcome::Passed, (self.unneeded == Truth::True).then(|| UNNEEDED.to_owned()))
                }
                (Ok(()), None) => ended(StepOutcome::Recovered, Some(self.recovered.join("; "))),
                (Ok(()) | Err(Halt::Retry { .. }), Some(reason)) => ended(StepOutcome::Failed, Some(reason)),
                (Err(Halt::Failed(reason)), unfinished) => {
                    let reason = unfinished.map_or(reason.clone(), |more| format!("{reason}; {more}"));
                    ended(StepOutcome::Failed, Some(reason))
                }
                (Err(Halt::Retry { after, of, attempt: nth }), None) => {
                    match self.driver.pause(after).await {
                        Ok(()) => {}
                        Err(Halt::Failed(reason)) => return ended(StepOutcome::Failed, Some(reason)),
                        Err(halt) => return Err(halt),
                    }
                    self.recovered.push(retried(nth, of));
                    attempt += 1;
                    continue;
                }
                (Err(halt), _) => Err(halt),
            };
        }
    }

    /// Once from the top.
    async fn attempt(&mut self, site: &Site, attempt: u32) -> Result<Attempt, Halt> {
        let step = self.position.step;
        let mut site = site.clone();
        if attempt == 1
            && let Some(when) = &step.when
        {
            let (driver, at) = self.at(&site, Section::Body);
            match driver.decide(at, when).await {
                Ok(Decision::Take) => {}
                Ok(Decision::Leave | Decision::Neither) => {
                    self.core.leave_out(step);
                    return Ok(Attempt::LeftOut);
                }
                Ok(Decision::Unknown(_)) if D::FORESEES => {
                    site = site.possibly(format!("when `{}`", self.core.words(when.span)));
                }
                Ok(Decision::Unknown(reason)) | Err(Halt::Failed(reason)) => {
                    return Ok(Attempt::Ended(Err(Halt::Failed(reason)), None));
                }
                Err(halt) => return Err(halt),
            }
        }
        if step.if_needed {
            // A run that has to end while it finds out does not begin: the statements see to that.
            let need = Need { text: "if needed".to_owned(), span: step.span, body: &step.body, site: &site };
            let (driver, at) = self.at(&site, Section::Body);
            let unneeded = driver.needed(at, need).await?;
            self.unneeded = unneeded;
        }
        let body = self.part(&step.body, site.clone(), Section::Body).await;
        if let Err(halt @ (Halt::HistoryEnds | Halt::Mismatch(_))) = body {
            return Err(halt);
        }
        if let Some(handler) = step.on_failure.as_ref().filter(|_| D::FORESEES) {
            let site = site.in_part(Part::OnFailure).possibly(format!("if step {} fails", step.name));
            let unknown = Answer::unknown(UnknownCause::LeftOut, "known only when the step fails");
            let site = site.with(handler.failures, unknown.into());
            self.part(&handler.body, site, Section::Handler).await?;
        }
        let mut unfinished = None;
        if let Some(finally) = &step.finally {
            match self.part(finally, site.in_part(Part::Finally), Section::Finally).await {
                Ok(()) => {}
                Err(Halt::Failed(reason)) => unfinished = Some(format!("`finally`: {reason}")),
                Err(Halt::Retry { .. }) => unfinished = Some("`finally` asked for a retry".to_owned()),
                Err(halt) => return Err(halt),
            }
        }
        if let Some(rollback) = step.rollback.as_ref().filter(|_| D::FORESEES) {
            self.unneeded = Truth::False;
            let site = site.in_part(Part::Rollback).possibly("if the run is rolled back");
            self.part(&rollback.body, site, Section::Rollback).await?;
        }
        Ok(Attempt::Ended(body, unfinished))
    }

    /// Goes through an attempt that is in the journal, for what it bound.
    pub async fn go_through(&mut self, attempt: u32, began: Timestamp) {
        let site = Site::of(self.position.step).begun(began);
        let _ = self.attempt(&site, attempt).await;
    }

    /// Undoes a step.
    pub async fn undo(&mut self, body: &'c [Stmt], site: &Site) -> Result<(), Halt> {
        self.part(body, site.in_part(Part::Rollback), Section::Rollback).await
    }

    /// Runs a part of the step; the one around it goes on behind it.
    pub async fn part(&mut self, stmts: &'c [Stmt], site: Site, section: Section) -> Result<(), Halt> {
        let part = CurrentPart { stmts, site: site.clone(), baseline: false };
        let before = std::mem::replace(&mut self.position.part, part);
        let done = self.block(FrameKind::Part, stmts, site, section).await;
        self.position.part = before;
        done
    }

    pub fn block<'a>(
        &'a mut self,
        kind: FrameKind,
        stmts: &'c [Stmt],
        mut site: Site,
        section: Section,
    ) -> BoxFuture<'a, Result<(), Halt>>
    where
        'c: 'a,
    {
        Box::pin(async move {
            self.position.frames.push(Frame { kind, stmts, at: 0, site: site.clone() });
            let mut done = Ok(());
            for (at, stmt) in stmts.iter().enumerate() {
                if let Some(frame) = self.position.frames.last_mut() {
                    frame.at = at;
                }
                done = self.statement(stmt, &mut site, section).await;
                if done.is_err() {
                    break;
                }
            }
            self.position.frames.pop();
            done
        })
    }

    /// One statement: what it asks of the driver, and what that leads to.
    async fn statement(&mut self, stmt: &'c Stmt, site: &mut Site, section: Section) -> Result<(), Halt> {
        let (driver, at) = self.at(site, section);
        driver.before(at).await?;
        let (driver, at) = self.at(site, section);
        match stmt {
            Stmt::Let { name, var, value, span } => {
                let bound = driver.bind(at, Binding { name, var: *var, value, span: *span }).await?;
                self.bound(site, *var, bound);
                Ok(())
            }
            Stmt::Secret { name, var, value, span } => {
                let bound = driver.secret(at, Binding { name, var: *var, value, span: *span }).await?;
                self.bound(site, *var, bound);
                Ok(())
            }
            Stmt::Show { values, span } => driver.show(at, values, *span).await,
            Stmt::Stop { why, span } => driver.leave(at, Leave::Stop { why: why.as_ref(), span: *span }).await,
            Stmt::RollBack { span } => driver.leave(at, Leave::RollBack { span: *span }).await,
            Stmt::Retry { times, after, span } => {
                driver.retry(at, Retry { times, after: after.as_ref(), span: *span }).await
            }
            Stmt::Run(run) => {
                self.run(run, site, section).await?;
                if let Some((_, var)) = run.bind.as_ref().filter(|_| D::LOOKS_AHEAD) {
                    let unknown = Answer::unknown(UnknownCause::LeftOut, "not answered yet");
                    self.bound(site, *var, unknown.into());
                }
                Ok(())
            }
            Stmt::Group(members) => self.expect(members, site, section).await,
            Stmt::For(each) => self.each(each, site, section).await,
            Stmt::If(choice) => self.choose(choice, site, section).await,
            Stmt::Confirm(confirm) => self.confirm(confirm, site, section).await,
            Stmt::Checklist(list) => self.checklist(list, site, section).await,
        }
    }

    fn bound(&self, site: &mut Site, var: Var, bound: Bound) {
        if !D::LOOKS_AHEAD {
            self.core.slots.bind(var, bound);
        } else if self.core.slots.get(var).is_none() {
            *site = site.with(var, bound);
        }
    }

    async fn each(&mut self, each: &'c For<Stmt>, site: &Site, section: Section) -> Result<(), Halt> {
        let (driver, at) = self.at(site, section);
        match driver.items(at, &each.over).await? {
            Ok(items) => {
                for item in items {
                    let inner = group::at_item(site, &each.vars, &item, None);
                    self.block(FrameKind::Loop, &each.body, inner, section).await?;
                }
                Ok(())
            }
            Err(answer) if D::FORESEES => {
                let words = self.core.words(each.over.span);
                let mut inner = site.possibly(format!("for each of `{words}`"));
                inner.keys = format!("{}[…]", site.keys).into();
                for (_, var) in &each.vars {
                    inner = inner.with(*var, Bound::from(answer.clone()));
                }
                self.driver.fork();
                let done = self.block(FrameKind::Loop, &each.body, inner, section).await;
                self.driver.join();
                done
            }
            Err(answer) => {
                let list = self.core.words(each.over.span);
                let reason = describe::brief(self.core.redactor(), &answer);
                let reason = format!("`{list}` can't be looped over: {reason}");
                self.unhandled(site, section, reason, each.span).await
            }
        }
    }

    async fn choose(&mut self, choice: &'c If<Stmt>, site: &Site, section: Section) -> Result<(), Halt> {
        let mut open = site.clone();
        let mut forked = false;
        let mut taken = choice.otherwise.as_ref();
        for (condition, body) in &choice.branches {
            let (driver, at) = self.at(&open, section);
            match driver.decide(at, condition).await? {
                Decision::Take => {
                    taken = Some(body);
                    break;
                }
                Decision::Leave => {}
                Decision::Neither => return Ok(()),
                Decision::Unknown(_) if D::FORESEES => {
                    let words = self.core.words(condition.span);
                    if !std::mem::replace(&mut forked, true) {
                        self.driver.fork();
                    }
                    self.block(FrameKind::Inner, body, open.possibly(format!("if `{words}`")), section).await?;
                    self.driver.other_branch();
                    open = open.possibly(format!("if not `{words}`"));
                }
                Decision::Unknown(reason) => return self.unhandled(site, section, reason, choice.span).await,
            }
        }
        if let Some(body) = taken {
            self.block(FrameKind::Inner, body, open, section).await?;
        }
        if forked {
            self.driver.join();
        }
        Ok(())
    }

    async fn run(&mut self, run: &'c Run, site: &Site, section: Section) -> Result<(), Halt> {
        let site = match (self.ensured.clone(), self.unneeded.clone()) {
            (Truth::True, _) => {
                let (driver, at) = self.at(site, section);
                return driver.leave_out(at, run, Unneeded::Ensured).await;
            }
            (_, Truth::True) if section != Section::Handler => {
                let (driver, at) = self.at(site, section);
                return driver.leave_out(at, run, Unneeded::Step).await;
            }
            // The handler's actions are for what failed.
            (_, Truth::Unknown(_)) if section == Section::Handler => site.clone(),
            (Truth::Unknown(_), _) | (_, Truth::Unknown(_)) => site.possibly("if it is still needed"),
            _ => site.clone(),
        };
        match &run.target {
            RunTarget::Native(call) => {
                let (driver, at) = self.at(&site, section);
                let Err(Failure { reason, failures }) = driver.act(at, run, call).await? else { return Ok(()) };
                if self.handles(section)? {
                    // After a failed action only a retry can recover: what was to be done is not done.
                    self.handle(&site, failures).await.map_err(|halt| halt.because(&reason))?;
                }
                Err(Halt::Failed(reason))
            }
            RunTarget::Defined { action, args, if_needed, name } => {
                let Some(definition) = self.core.program.actions.get(*action) else { return Ok(()) };
                let inner = self.enter(definition, args, &site, section).await?;
                let before = self.ensured.clone();
                if *if_needed {
                    let text = format!("ensure {name}");
                    let need = Need { text, span: run.span, body: &definition.body, site: &inner };
                    let (driver, at) = self.at(&site, section);
                    let ensured = driver.needed(at, need).await?;
                    self.ensured = self.ensured.clone().or(ensured);
                }
                let done = self.block(FrameKind::Inner, &definition.body, inner, section).await;
                self.ensured = before;
                done
            }
        }
    }

    /// A scope of its own for a definition: its parameters, and nothing of its caller's.
    async fn enter(
        &mut self,
        definition: &'c Definition<Stmt>,
        args: &'c [Expr],
        site: &Site,
        section: Section,
    ) -> Result<Site, Halt> {
        let mut inner = Site { scope: Scope::default(), ..site.clone() };
        for ((name, var, ty), arg) in definition.params.iter().zip(args) {
            let mut bound = match super::start::probes(arg) {
                // What the world said once is not asked again when the run is resumed.
                true => {
                    let (driver, at) = self.at(site, section);
                    driver.bind(at, Binding { name, var: *var, value: arg, span: arg.span }).await?
                }
                false => Eval::new(self.core, site, &Round::new()).bound(arg).await,
            };
            if let Answer::Known(value) = &bound.answer
                && *ty != Type::Path
            {
                bound.answer = match ask::coerce(value.clone(), ty, &self.core.program.root) {
                    Ok(value) => Answer::Known(value),
                    Err(why) => {
                        let why = format!("`{name}` of `{}`: {why}", definition.name);
                        if !D::FORESEES {
                            return Err(Halt::Failed(why));
                        }
                        Answer::unknown(UnknownCause::Invalid, why)
                    }
                };
            }
            inner = inner.with(*var, bound);
        }
        Ok(inner)
    }

    async fn expect(&mut self, members: &'c [Member], site: &Site, section: Section) -> Result<(), Halt> {
        let (driver, at) = self.at(site, section);
        let Err(Failure { reason, failures }) = driver.expect(at, members).await? else { return Ok(()) };
        if !self.handles(section)? {
            return Err(Halt::Failed(reason));
        }
        self.handle(site, failures).await.map_err(|halt| halt.because(&reason))?;
        let (driver, at) = self.at(site, section);
        driver.expect_again(at).await.map_err(|halt| match halt {
            Halt::Failed(cause) => Halt::Failed(format!("{reason}; {cause}")),
            halt => halt,
        })?;
        let (driver, at) = self.at(site, section);
        match driver.expect(at, members).await? {
            Ok(()) => {
                self.recovered.push(format!("its handler mended: {reason}"));
                Ok(())
            }
            Err(still) => Err(Halt::Failed(format!("{}, also after its handler", still.reason))),
        }
    }

    /// Whether what failed in this section is handled.
    fn handles(&mut self, section: Section) -> Result<bool, Halt> {
        if section != Section::Body || self.position.step.on_failure.is_none() {
            return Ok(false);
        }
        self.driver.handles()
    }

    /// What failed was neither an action nor a group: a handler may retry, but nothing mends it.
    async fn unhandled(&mut self, site: &Site, section: Section, reason: String, span: Span) -> Result<(), Halt> {
        if self.handles(section)? {
            let told = [("expected", "something known"), ("found", &*reason)];
            let failure = failure(self.core, site, span, told);
            self.handle(site, vec![failure]).await.map_err(|halt| halt.because(&reason))?;
        }
        Err(Halt::Failed(reason))
    }

    /// Runs the step's handler.
    async fn handle(&mut self, site: &Site, failures: Vec<crate::value::Value>) -> Result<(), Halt> {
        let Some(Handler { failures: var, body, .. }) = &self.position.step.on_failure else { return Ok(()) };
        let site = site.in_part(Part::OnFailure);
        let (driver, at) = self.at(&site, Section::Handler);
        let failures = driver.handler(at, failures).await?;
        self.part(body, site.with(*var, Bound::from(failures)), Section::Handler).await
    }

    async fn confirm(&mut self, confirm: &'c Confirm, site: &Site, section: Section) -> Result<(), Halt> {
        let (driver, at) = self.at(site, section);
        match driver.confirm(at, confirm).await? {
            None => Ok(()),
            Some(reason) => self.unhandled(site, section, reason, confirm.span).await,
        }
    }

    /// The program ticks what it sees; only where all of that holds are people asked, for all that is theirs, so that what is
    /// open is shown at once.
    async fn checklist(&mut self, list: &'c Checklist, site: &Site, section: Section) -> Result<(), Halt> {
        let site = &site.on_checklist(list.title.clone());
        if !list.seen.is_empty() {
            self.expect(&list.seen, site, section).await?;
        }
        let mut open = Vec::new();
        for confirm in &list.confirmed {
            let (driver, at) = self.at(site, section);
            open.extend(driver.confirm(at, confirm).await?);
        }
        match open.len() {
            0 => Ok(()),
            _ => self.unhandled(site, section, open.join("; "), list.span).await,
        }
    }
}

/// The first words of a group.
pub(super) fn first_span(members: &[Member], step: &Step) -> Span {
    members.first().map_or(step.span, |member| match member {
        Member::Expect(expect) => expect.span,
        Member::For(each) => each.span,
        Member::If(choice) => choice.span,
        Member::Let { span, .. } => *span,
    })
}
