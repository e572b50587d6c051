//! `dry-run`: walks a program without acting, and shows what would be run, what holds now, and where the run would end.
//!
//! It is given a world that can only be read: there is nothing here that could act. In: a program, that world. Out: events,
//! and the sum.

use std::sync::Arc;

use tokio::time::Instant;

use super::context::context;
use super::predict::Predict;
use super::start;
use super::stop;
use super::task::Task;
use crate::check::program::{Program, Step};
use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::secrets;
use crate::engine::events::emit::Tally;
use crate::engine::events::event::{Body, Mode, Place, Seconds, Sink, State, StateCounts, StepOutcome};
use crate::engine::expects::group::{self, Expansion};
use crate::engine::options::{Chosen, Options};
use crate::engine::redact::Redactor;
use crate::engine::world::{ReadOnly, Trust};

/// Walks the program. `trust`: whether vouched probes that no sandbox confines are made all the same.
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
    let core = context(program, &world, trust, redactor, sinks.into(), Flag::default(), true);
    let early = secrets::read_early(&core).await;
    start::announce(&core, Mode::DryRun, &chosen, options, None);
    core.emitter.emit_held(early);
    start::globals(&core, None).await;
    stop::predict(&core).await;
    for (at, step) in core.program.steps.iter().enumerate() {
        if chosen.holds(at) {
            predict(&core, step).await;
        } else {
            ended(&core, step, StepOutcome::Skipped, Some("not chosen".to_owned()), began);
        }
    }
    verdict(&core).await;
    let tally = core.emitter.tally();
    let (ends, actions_not_reached) = (core.ends(), tally.actions_not_reached);
    core.emitter.emit(
        Place::default(),
        Body::Summary {
            actions: tally.planned,
            expects: StateCounts {
                holds: tally.count_of(State::Holds),
                differs: tally.count_of(State::Differs),
                unknown: tally.count_of(State::Unknown),
                assumed: tally.assumed(),
                accepted: tally.waived(),
                not_reached: tally.not_reached(),
            },
            as_of_now: tally.as_of_now,
            possibly: tally.possible,
            probes: tally.probes,
            partial: chosen.partial.clone(),
            elapsed: Seconds::from(began.elapsed()),
            actions_not_reached,
            ends,
        },
    );
    core.emitter.tally()
}

async fn predict(core: &Core, step: &Step) {
    let began = Instant::now();
    // A prediction has no failures, and so nothing that would end it early.
    let (outcome, reason) = match Task::new(core, step, Predict::new(core)).step(None).await {
        Ok(end) if end.outcome == StepOutcome::Skipped => (StepOutcome::Skipped, end.reason),
        Ok(end) => {
            (StepOutcome::Planned, end.reason.map(|_| "not needed: all that it proves holds already".to_owned()))
        }
        Err(_) => (StepOutcome::Planned, None),
    };
    ended(core, step, outcome, reason, began);
}

fn ended(core: &Core, step: &Step, outcome: StepOutcome, reason: Option<String>, began: Instant) {
    let body = Body::StepEnded { outcome, reason, attempts: 1, elapsed: Seconds::from(began.elapsed()) };
    core.emit(&Site::of(step), step.span, body);
}

/// What decides, as of now.
async fn verdict(core: &Core) {
    let Some(decision) = &core.program.verdict else { return };
    let site = Site::of_verdict();
    core.emit(&site, decision.span, Body::VerdictStarted);
    let round = Round::new();
    let mut leaves = Expansion::of(core, &decision.members, &site, &round);
    loop {
        let some = leaves.some().await;
        if some.is_empty() {
            break;
        }
        for asked in group::ask_once(core, some, &round).await {
            group::report(core, &asked).await;
        }
    }
}
