//! `runbook rollback RUN`: undoes what a run has begun, newest step first.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::check::program::Step;
use crate::engine::events::past::PastStep;
use crate::engine::{Begun, Cancel, Identity, Options, Outlets, RollbackPlan, Setup, roll_back};
use crate::record::{Store, host, user};
use crate::report::safe::safe;

use crate::process::tidy;
use crate::world::people::Answers;

use super::forms::Views;
use super::output::refused;
use super::recorded::found;
use super::run::{exit_code, lock, real, runtime, tell_left_out};
use super::signals::Listening;
use super::{Format, Global, NOT_RUN, Reports, output};

#[derive(Args)]
pub(super) struct Rollback {
    /// The run: its id, the beginning or end of it, or `last`
    run: String,
    /// The form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// How long to wait for the runbook's lock
    #[arg(long, value_name = "DURATION", value_parser = super::run::duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    reports: Reports,
}

impl Rollback {
    pub fn run(self, global: Global) -> ExitCode {
        self.try_run(global).unwrap_or_else(|code| code)
    }

    fn try_run(self, global: Global) -> Result<ExitCode, ExitCode> {
        let mut found = found(&self.run)?;
        let past = found.past()?;
        let run = found.record.run.clone();
        let program = found.program(&past, self.format, global)?;
        let recorded = |step: &Step| past.steps.get(&*step.name);
        let way = RollbackPlan::of(&program, |step| begun_of(recorded(step)));
        let undone =
            |step: &Step| recorded(step).is_some_and(|past| past.undone.as_ref().is_some_and(|undone| undone.ok));
        if way.undo.iter().all(|(step, _)| undone(step)) {
            let why = match way.stops_at {
                Some(step) => {
                    format!("there is no way back from step {step}, which run {run} has begun; nothing was done")
                }
                None => format!("nothing that run {run} has begun is left to undo; nothing was done"),
            };
            return Err(refused(NOT_RUN, why));
        }
        let runtime = runtime()?;
        let _tidying = tidy();
        let locked = lock(&program, Some(&run), self.wait)?;
        let texts = found.texts();
        let cancel = Cancel::new();
        let signals = Listening::new(&cancel);
        let views = Views::new(self.format, global, false, &cancel, &texts);
        let views = views.with(&self.reports, &texts)?;
        let begun = found.take_up()?;
        let (sinks, showing) = views.behind(&past).on_threads(|| found.store.replay(&run))?;
        if !global.quiet && self.format != Format::Json {
            eprintln!("Rolling back run {run}: {}", safe(&program.title));
        }
        let identity = Identity { run: Some(run.clone()), by: user(), host: host() };
        let reason = format!("{} on {} asked for it", identity.by, identity.host);
        let setup = Setup {
            program,
            world: real(Answers::default()),
            options: Options { only: past.only.clone(), from: past.from.clone(), no_rollback: false },
            identity,
            redactor: output::REDACTOR.clone(),
            outlets: Outlets { ledger: Some(begun.ledger), sinks },
            cancel,
        };
        let ended = runtime.block_on(roll_back(setup, &past, reason));
        // What was asked for is the undoing: that it was done, and proven, is its success.
        let code = match (&ended.cause, ended.undone) {
            (None, true) => 0,
            _ => exit_code(&ended),
        };
        signals.over(code);
        runtime.shutdown_background();
        // Who reads slowly keeps nobody else from the next run.
        drop((begun.held, locked));
        tell_left_out(&run, &begun.left_out);
        showing.finish(&run);
        Ok(code.into())
    }
}

fn begun_of(past: Option<&PastStep>) -> Begun {
    match past {
        Some(PastStep { acted: true, changed: true, .. }) => Begun::Yes,
        Some(PastStep { acted: true, .. }) => Begun::Harmless,
        _ => Begun::No,
    }
}
