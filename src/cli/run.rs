//! `runbook exec FILE` and `runbook dry-run FILE`

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::check::program::Program;
use crate::check::{Checked, check};
use crate::engine::cancel::Cause;
use crate::engine::event::{Sink, State, Verdict};
use crate::engine::options::unknown_step;
use crate::engine::world::{RunClock, Trust};
use crate::engine::{Cancel, Ended, Options, ReadOnly, Real, dry_run, exec};
use crate::report::diagnostic as shown;
use crate::report::json::Json;
use crate::report::markdown::Markdown;
use crate::report::text::Text;
use crate::world::{Backends, Eyes, Hands};

use super::{Choice, Format, Global, NOT_RUN, input, output};

#[derive(Args)]
pub(super) struct Exec {
    #[command(flatten)]
    choice: Choice,
}

#[derive(Args)]
pub(super) struct DryRun {
    #[command(flatten)]
    choice: Choice,
    /// Exit with 3 if anything differs or is unknown
    #[arg(long)]
    detailed_exitcode: bool,
    /// Make vouched probes that no sandbox confines, on their author's word
    #[arg(long)]
    trust_probes: bool,
}

impl Choice {
    /// The program, checked; or what keeps it from being run, told.
    fn program(&self, global: Global) -> Result<(Arc<Program>, Options), ExitCode> {
        let refused = |why: String| {
            eprintln!("runbook: {why}");
            ExitCode::from(NOT_RUN)
        };
        let settings = self.settings().map_err(refused)?;
        let input = input::read(&self.file).map_err(refused)?;
        let name = input.name.clone();
        let Checked { sources, program, diagnostics } = check(input, &settings);
        if self.format == Format::Json && program.is_none() {
            for diagnostic in &diagnostics {
                println!("{}", shown::json(&sources, diagnostic));
            }
        } else if !diagnostics.is_empty() && (program.is_none() || !global.quiet) {
            eprint!("{}", shown::render(&sources, &diagnostics, global.colour_err()));
        }
        let Some(program) = program else {
            eprintln!("{name}: {}; nothing was run", shown::sum(&diagnostics));
            return Err(ExitCode::from(NOT_RUN));
        };
        let options = Options { only: self.only.clone(), from: self.from.clone() };
        if let Some(step) = unknown_step(&program, &options) {
            let steps: Vec<&str> = program.steps.iter().map(|step| &*step.name).collect();
            return Err(refused(format!("there is no step `{step}`; its steps are {}", steps.join(", "))));
        }
        Ok((Arc::new(program), options))
    }
}

fn sinks(format: Format, global: Global, dry: bool) -> Vec<Box<dyn Sink>> {
    match format {
        Format::Json => vec![Box::new(Json::new(std::io::stdout()))],
        Format::Markdown if dry => vec![Box::new(Markdown::new(std::io::stdout()))],
        Format::Markdown => vec![
            Box::new(Markdown::new(std::io::stdout())),
            Box::new(Text::new(std::io::stderr(), std::io::sink(), global.text(false))),
        ],
        Format::Text => vec![Box::new(Text::new(std::io::stderr(), std::io::stdout(), global.text(dry)))],
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        eprintln!("runbook: {error}");
        ExitCode::from(4)
    })
}

impl Exec {
    pub fn run(self, global: Global) -> ExitCode {
        let (program, options) = match self.choice.program(global) {
            Ok(ready) => ready,
            Err(code) => return code,
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(code) => return code,
        };
        let ended = runtime.block_on(carry_out(program, &options, sinks(self.choice.format, global, false)));
        // What still waits (a name that is looked up, a file on a dead disk) is not waited for.
        runtime.shutdown_background();
        exit_code(&ended)
    }
}

/// Carries a program out in the real world, listening to the keyboard.
pub(super) async fn carry_out(program: Arc<Program>, options: &Options, sinks: Vec<Box<dyn Sink>>) -> Ended {
    let clock: Arc<RunClock> = Arc::new(RunClock::start());
    let backends = Backends::default();
    let eyes = Eyes::new(backends.clone(), clock.clone());
    let world = Real { look: eyes.clone(), vouch: eyes, act: Hands::new(backends), clock };
    let cancel = Cancel::new();
    // Heard from now on: what is started next may already be told to end.
    let signals = listen(cancel.clone()).map(tokio::spawn);
    let ended = exec(program, world, options, output::REDACTOR.clone(), cancel, sinks).await;
    if let Some(signals) = signals {
        signals.abort();
    }
    ended
}

fn listen(cancel: Cancel) -> Option<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    let mut hangup = signal(SignalKind::hangup()).ok()?;
    Some(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => cancel.signal(Cause::Interrupt),
                _ = terminate.recv() => cancel.signal(Cause::Terminate),
                _ = hangup.recv() => cancel.signal(Cause::Terminate),
            }
        }
    })
}

pub(super) fn exit_code(ended: &Ended) -> ExitCode {
    match (ended.verdict, &ended.cause) {
        (_, Some(Cause::Interrupt)) => ExitCode::from(130),
        (_, Some(Cause::Terminate)) => ExitCode::from(143),
        (Verdict::Go, _) => ExitCode::SUCCESS,
        (Verdict::NoGo, _) => ExitCode::FAILURE,
    }
}

impl DryRun {
    pub fn run(self, global: Global) -> ExitCode {
        let (program, options) = match self.choice.program(global) {
            Ok(ready) => ready,
            Err(code) => return code,
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(code) => return code,
        };
        let trust = if self.trust_probes { Trust::AuthorsWord } else { Trust::Sandboxed };
        let tally = runtime.block_on(plan(program, &options, trust, sinks(self.choice.format, global, true)));
        runtime.shutdown_background();
        if self.detailed_exitcode && tally.0 { ExitCode::from(3) } else { ExitCode::SUCCESS }
    }
}

/// Walks a program in a world that can only be looked at; whether anything differs or is unknown.
pub(super) async fn plan(program: Arc<Program>, options: &Options, trust: Trust, sinks: Vec<Box<dyn Sink>>) -> (bool,) {
    let clock: Arc<RunClock> = Arc::new(RunClock::start());
    let eyes = Eyes::new(Backends::default(), clock.clone());
    let world = ReadOnly { look: eyes.clone(), vouch: eyes, clock };
    let sum = dry_run(program, world, options, trust, output::REDACTOR.clone(), sinks).await;
    (sum.count_of(State::Differs) + sum.count_of(State::Unknown) > 0,)
}
