//! `dry-run`: walks a program without acting, and tells what would be run and what holds now.
//!
//! It is given a world that can only be looked at: there is nothing here that could act. In: a program, that world.
//! Out: events, and the sum.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::check::program::{Confirm, Definition, Expr, Member, Program, Run, RunTarget, Step, Stmt, StopKind};
use crate::value::{Answer, Truth, Unknown, UnknownCause};

use super::action;
use super::confirm;
use super::risk::Risks;
use super::start;
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::facts::{Change, Changed};
use crate::engine::evaluation::scope::{Bound, Outdated, Scope, Slots};
use crate::engine::evaluation::secrets;
use crate::engine::events::emit::{Emitter, Tally};
use crate::engine::events::event::{
    Body, ExpectResult, Mode, Part, Place, Seconds, Sink, State, StateCounts, StepOutcome,
};
use crate::engine::expects::group::{self, Expansion};
use crate::engine::options::{Chosen, Options};
use crate::engine::redact::Redactor;
use crate::engine::world::{Clock, Look, Trust, Vouch};

/// A world that can be looked at.
#[derive(Clone)]
pub struct ReadOnly {
    pub look: Arc<dyn Look>,
    pub vouch: Arc<dyn Vouch>,
    pub clock: Arc<dyn Clock>,
}

/// Walks the program. `trust`: whether vouched probes that no sandbox confines are asked all the same.
pub async fn dry_run(
    program: Arc<Program>,
    world: ReadOnly,
    options: &Options,
    trust: Trust,
    redactor: Arc<Redactor>,
    sinks: Vec<Box<dyn Sink>>,
) -> Tally {
    let began = Instant::now();
    let chosen = Chosen::of(&program, options);
    let core = Core {
        risks: Risks::in_force(&program, world.clock.now()),
        program,
        look: world.look,
        vouch: world.vouch,
        trust,
        emitter: Emitter::new(world.clock, redactor, sinks.into(), Flag::default()),
        slots: Slots::default(),
        changed: Some(Changed::default()),
        recording: false,
        secrets: tokio::sync::Mutex::default(),
        withheld: std::sync::RwLock::new([].into()),
    };
    let early = secrets::read_early(&core).await;
    start::announce(&core, Mode::DryRun, &chosen, options, None);
    core.emitter.emit_held(early);
    start::globals(&core, None).await;
    let walk = Walk { core: &core };
    walk.stops().await;
    for (at, step) in core.program.steps.iter().enumerate() {
        let reason = (!chosen.holds(at)).then(|| "not chosen".to_owned());
        match reason {
            Some(_) => walk.ended(step, StepOutcome::Skipped, reason, began),
            None => walk.step(step).await,
        }
    }
    walk.verdict().await;
    let tally = core.emitter.tally();
    core.emitter.emit(
        Place::default(),
        Body::Summary {
            actions: tally.planned,
            expects: StateCounts {
                holds: tally.all_of(State::Holds),
                differs: tally.all_of(State::Differs),
                unknown: tally.all_of(State::Unknown),
                ..StateCounts::default()
            },
            as_of_now: tally.as_of_now,
            possibly: tally.possible,
            probes: tally.probes,
            partial: chosen.partial.clone(),
            elapsed: Seconds::from(began.elapsed()),
            actions_not_reached: 0,
            ends: None,
        },
    );
    core.emitter.tally()
}

struct Walk<'c> {
    core: &'c Core,
}

impl<'c> Walk<'c> {
    fn ended(&self, step: &Step, outcome: StepOutcome, reason: Option<String>, began: Instant) {
        let body = Body::StepEnded { outcome, reason, attempts: 1, elapsed: Seconds::from(began.elapsed()) };
        self.core.emit(&Site::of(step), step.span, body);
    }

    /// Asks each stop condition once: one that holds now would end the run.
    async fn stops(&self) {
        for stop in &self.core.program.stops {
            let site = match stop.since {
                // What it watches begins with a step that has not been carried out.
                Some(_) => continue,
                None => Site::default(),
            };
            let eval = Eval::of_stop(self.core, &site, &Round::new(), stop);
            let began = Instant::now();
            let truth = eval.truth(&stop.condition).await;
            let (word, wanted, quiet) = match stop.kind {
                StopKind::When { .. } => ("when", "does not hold", false),
                StopKind::Unless { .. } => ("unless", "holds", true),
            };
            let (state, actual, reason, cause) = match truth {
                Truth::True if quiet => (State::Holds, "it holds".to_owned(), None, None),
                Truth::True => (State::Differs, "it holds: the run would be stopped".to_owned(), None, None),
                Truth::False if quiet => {
                    (State::Differs, "it does not hold: the run would be stopped".to_owned(), None, None)
                }
                Truth::False => (State::Holds, "it does not hold".to_owned(), None, None),
                Truth::Unknown(unknown) => {
                    let reason = unknown.reason.to_string();
                    (State::Unknown, format!("unknown: {reason}"), Some(reason), Some(unknown.cause))
                }
            };
            let mut place = self.core.place(&site, stop.span);
            let title = eval.message(&stop.reason).await;
            place.expect = Some(format!("stop[{}]", crate::value::display::quoted(&title)));
            self.core.emitter.emit(
                place,
                Body::ExpectEnded(Box::new(ExpectResult {
                    state,
                    asked: None,
                    check: None,
                    via: Vec::new(),
                    text: format!("stop {word} {}", self.core.words(stop.condition.span)),
                    expected: wanted.to_owned(),
                    actual,
                    reason,
                    cause,
                    diff: Vec::new(),
                    message: None,
                    warn: false,
                    risk: None,
                    waived: false,
                    named: false,
                    attempts: 1,
                    elapsed: Seconds::from(began.elapsed()),
                    within: None,
                    as_of_now: None,
                    assumed: None,
                    shared: None,
                    inside: Vec::new(),
                    expected_value: None,
                    actual_value: None,
                })),
            );
        }
    }

    async fn step(&self, step: &'c Step) {
        let began = Instant::now();
        let mut site = Site::of(step).begun(self.core.emitter.now());
        self.core.emit(&site, step.span, Body::StepStarted { title: step.title.to_string(), attempt: 1 });
        if let Some(when) = &step.when {
            let truth = self.condition(when, &site).await;
            let words = self.core.words(when.span);
            match truth {
                Truth::True => {}
                Truth::False => {
                    let reason = format!("`when {words}` is false");
                    self.core.leave_out(step);
                    return self.ended(step, StepOutcome::Skipped, Some(reason), began);
                }
                Truth::Unknown(_) => site = site.possibly(format!("when `{words}`")),
            }
        }
        let needless = match step.if_needed {
            true => start::needless(self.core, &step.body, &site).await,
            false => Truth::False,
        };
        self.stmts(&step.body, &site, &needless).await;
        if let Some(handler) = &step.on_failure {
            // Told, so that a reviewer sees what may be run; nothing after it is judged by it.
            let site = site.in_part(Part::OnFailure).possibly(format!("if step {} fails", step.name));
            self.actions_of(&handler.body, &site).await;
        }
        if let Some(finally) = &step.finally {
            self.stmts(finally, &site.in_part(Part::Finally), &needless).await;
        }
        if let Some(rollback) = &step.rollback {
            let site = site.in_part(Part::Rollback).possibly("if the run is rolled back");
            self.actions_of(&rollback.body, &site).await;
        }
        let reason = (needless == Truth::True).then(|| "not needed: all that it proves holds already".to_owned());
        self.ended(step, StepOutcome::Planned, reason, began);
    }

    /// What decides, asked as of now.
    async fn verdict(&self) {
        let Some(decision) = &self.core.program.verdict else { return };
        let site = Site::of_verdict();
        self.core.emit(&site, decision.span, Body::VerdictStarted);
        self.group(&decision.members, &site).await;
    }

    async fn group(&self, members: &[Member], site: &Site) {
        let round = Round::new();
        let mut leaves = Expansion::of(self.core, members, site, &round);
        loop {
            let some = leaves.some().await;
            if some.is_empty() {
                break;
            }
            for asked in group::ask_once(self.core, some, &round).await {
                group::report(self.core, &asked).await;
            }
        }
    }

    /// Tells what a person would be asked.
    fn confirm(&self, confirm: &Confirm, site: &Site) {
        let question = confirm::question(site, confirm);
        let answer = question.answer.map(|wanted| format!("{}: {}", wanted.name, wanted.kind));
        let body = Body::ConfirmPlanned { text: question.text, role: question.role, answer };
        self.core.emit(site, confirm.span, body);
        if let Some(answer) = &confirm.answer {
            let reason = format!("typed by {} when it is run", confirm.role);
            self.core.slots.bind(answer.var, Answer::unknown(UnknownCause::LeftOut, reason).into());
        }
    }

    async fn condition(&self, expr: &Expr, site: &Site) -> Truth {
        let eval = Eval::new(self.core, site, &Round::new());
        let truth = eval.truth(expr).await;
        // What an earlier action may change can't be foretold.
        let truth = match (truth, eval.outdated()) {
            (Truth::Unknown(unknown), _) => Truth::Unknown(unknown),
            (now, Some(Outdated { line })) => {
                let now = if now == Truth::True { "true" } else { "false" };
                let reason = format!("{now} as of now, and line {line} may change it");
                Truth::Unknown(Unknown::new(UnknownCause::LeftOut, reason))
            }
            (truth, None) => truth,
        };
        start::told_condition(self.core, site, expr, &truth);
        truth
    }

    fn stmts<'a>(&'a self, stmts: &'c [Stmt], site: &'a Site, needless: &'a Truth) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for stmt in stmts {
                match stmt {
                    Stmt::Run(run) => self.run(run, site, needless).await,
                    Stmt::Let { name, var, value, span } => {
                        let bound = Eval::new(self.core, site, &Round::new()).bound(value).await;
                        start::told_binding(self.core, site, *span, name, &bound.answer);
                        self.core.slots.bind(*var, bound);
                    }
                    Stmt::Secret { name, var, value, span } => {
                        let eval = Eval::new(self.core, site, &Round::new());
                        let bound = eval.bound(value).await;
                        let answer = eval.sealed(name, bound.answer);
                        start::told_binding(self.core, site, *span, name, &answer);
                        self.core.slots.bind(*var, Bound { answer, outdated: bound.outdated });
                    }
                    Stmt::Show { values, span } => start::show(self.core, site, *span, values).await,
                    Stmt::Group(members) => self.group(members, site).await,
                    Stmt::For(each) => {
                        let eval = Eval::new(self.core, site, &Round::new());
                        match eval.items(&each.over).await {
                            Ok(items) => {
                                for item in items {
                                    let inner = group::at_item(site, &each.vars, &item, eval.outdated());
                                    self.stmts(&each.body, &inner, needless).await;
                                }
                            }
                            Err(answer) => {
                                let words = self.core.words(each.over.span);
                                let mut inner = site.possibly(format!("for each of `{words}`"));
                                inner.keys = format!("{}[…]", site.keys).into();
                                for (_, var) in &each.vars {
                                    inner = inner.with(*var, Bound::from(answer.clone()));
                                }
                                self.stmts(&each.body, &inner, needless).await;
                            }
                        }
                    }
                    Stmt::If(choice) => {
                        let mut open = site.clone();
                        let mut decided = false;
                        for (condition, body) in &choice.branches {
                            let words = self.core.words(condition.span);
                            match self.condition(condition, &open).await {
                                Truth::True => {
                                    self.stmts(body, &open, needless).await;
                                    decided = true;
                                    break;
                                }
                                Truth::False => {}
                                Truth::Unknown(_) => {
                                    self.stmts(body, &open.possibly(format!("if `{words}`")), needless).await;
                                    open = open.possibly(format!("if not `{words}`"));
                                }
                            }
                        }
                        if let (false, Some(body)) = (decided, &choice.otherwise) {
                            self.stmts(body, &open, needless).await;
                        }
                    }
                    Stmt::Confirm(confirm) => self.confirm(confirm, site),
                    Stmt::Checklist(list) => {
                        let site = &site.on_checklist(list.title.clone());
                        self.group(&list.seen, site).await;
                        list.confirmed.iter().for_each(|confirm| self.confirm(confirm, site));
                    }
                    // These stand in handlers only.
                    Stmt::Stop { .. } | Stmt::Retry { .. } | Stmt::RollBack { .. } => {}
                }
            }
        })
    }

    async fn run(&self, run: &'c Run, site: &Site, needless: &Truth) {
        let eval = Eval::new(self.core, site, &Round::new());
        let action = eval.action(run).await;
        let line = self.core.line(run.span);
        if *needless == Truth::True {
            let reason = "what it is done for holds already".to_owned();
            self.bind(run, format!("printed by `{action}`, which is not needed"));
            return self.core.emit(site, run.span, Body::ActionSkipped { action, reason });
        }
        let site = match needless {
            Truth::Unknown(_) => site.possibly("if it is still needed"),
            _ => site.clone(),
        };
        match &run.target {
            RunTarget::Defined { action: at, args, if_needed, .. } => {
                let Some(definition) = self.core.program.actions.get(*at) else { return };
                let inner = self.enter(definition, args, &site).await;
                let needless = match if_needed {
                    true => start::needless(self.core, &definition.body, &inner).await,
                    false => Truth::False,
                };
                self.stmts(&definition.body, &inner, &needless).await;
            }
            RunTarget::Native(call) => {
                let args = eval.args(call).await;
                let change = action::change(&eval, run, call, args.as_deref().ok()).await;
                self.planned(run, &site, action, &change);
                self.bind(run, format!("what line {line} answers, which a dry run leaves out"));
                if let Some(changed) = &self.core.changed {
                    changed.add(change, line);
                }
            }
        }
    }

    fn planned(&self, run: &Run, site: &Site, action: String, change: &Change) {
        self.core.emit(
            site,
            run.span,
            Body::ActionPlanned { action, changes: change.to_event(&self.core.program.root) },
        );
    }

    fn bind(&self, run: &Run, reason: String) {
        if let Some((_, var)) = &run.bind {
            self.core.slots.bind(*var, Answer::unknown(UnknownCause::LeftOut, reason).into());
        }
    }

    async fn enter(&self, definition: &Definition<Stmt>, args: &[Expr], site: &Site) -> Site {
        let eval = Eval::new(self.core, site, &Round::new());
        let mut inner = Site { scope: Scope::default(), ..site.clone() };
        for ((_, var, _), arg) in definition.params.iter().zip(args) {
            inner = inner.with(*var, eval.bound(arg).await);
        }
        inner
    }

    /// The actions of a handler, wherever they stand in it: what may be run, should it come to that.
    fn actions_of<'a>(&'a self, stmts: &'c [Stmt], site: &'a Site) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for stmt in stmts {
                match stmt {
                    Stmt::Run(run) => {
                        let eval = Eval::new(self.core, site, &Round::new());
                        let action = eval.action(run).await;
                        let change = match action::native(run) {
                            Some(call) => action::change(&eval, run, call, None).await,
                            None => Change::Everything,
                        };
                        self.planned(run, site, action, &change);
                    }
                    Stmt::Confirm(confirm) => self.confirm(confirm, site),
                    Stmt::Checklist(list) => {
                        let site = &site.on_checklist(list.title.clone());
                        list.confirmed.iter().for_each(|confirm| self.confirm(confirm, site));
                    }
                    Stmt::For(each) => {
                        let mut inner = site.possibly(format!("for each of `{}`", self.core.words(each.over.span)));
                        let unknown = Answer::unknown(UnknownCause::LeftOut, "told only when it comes to that");
                        for (_, var) in &each.vars {
                            inner = inner.with(*var, unknown.clone().into());
                        }
                        self.actions_of(&each.body, &inner).await;
                    }
                    Stmt::If(choice) => {
                        for (condition, body) in &choice.branches {
                            let inner = site.possibly(format!("if `{}`", self.core.words(condition.span)));
                            self.actions_of(body, &inner).await;
                        }
                        if let Some(body) = &choice.otherwise {
                            self.actions_of(body, &site.possibly("otherwise")).await;
                        }
                    }
                    _ => {}
                }
            }
        })
    }
}
