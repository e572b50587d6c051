//! `runbook exec FILE` and `runbook dry-run FILE`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::check::program::{Program, Settings};
use crate::check::{Checked, Input, check};
use crate::engine::cancel::Cause;
use crate::engine::events::event::{Sink, State, Verdict};
use crate::engine::options::unknown_step;
use crate::engine::world::{RunClock, Trust};
use crate::engine::{Cancel, Ended, Identity, Options, Outlets, ReadOnly, Real, Setup, dry_run, exec, questions};
use crate::process::tidy;
use crate::record::lock::Holder;
use crate::record::{Folder, Held, LeftOut, Lock, LockError, Store, host, user};
use crate::report::diagnostic as told;
use crate::report::times::{time, wall};
use crate::syntax::literal;
use crate::world::people::{Answers, Asked};
use crate::world::{Asks, Backends, Eyes, Hands};

use super::forms::{Views, texts};
use super::output::refused;
use super::signals::Listening;
use super::{Choice, Format, Global, NOT_RUN, NOT_TOLD, input, output};

#[derive(Args)]
pub(super) struct Exec {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    acting: Acting,
}

/// What commands that act are told.
#[derive(Args)]
pub(super) struct Acting {
    /// Undo nothing, whatever the runbook says
    #[arg(long)]
    pub no_rollback: bool,
    /// How long to wait for the runbook's lock
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// What people have confirmed before: who, as which role, when, for which item
    #[arg(long, value_name = "FILE.toml")]
    pub answers: Option<std::path::PathBuf>,
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

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = literal::duration(text).ok_or("a duration is written like `30s` or `5m`")?;
    Duration::try_from(duration).map_err(|_| "a duration is not negative".to_owned())
}

/// The program of a text, checked; or what keeps it from being run, told.
pub(super) fn program(
    input: Input,
    settings: &Settings,
    format: Format,
    global: Global,
) -> Result<Arc<Program>, ExitCode> {
    let name = input.name.clone();
    let Checked { sources, program, diagnostics } = check(input, settings);
    if format == Format::Json && program.is_none() {
        for diagnostic in &diagnostics {
            println!("{}", told::json(&sources, diagnostic));
        }
    } else if !diagnostics.is_empty() && (program.is_none() || !global.quiet) {
        eprint!("{}", told::render(&sources, &diagnostics, global.colour_err()));
    }
    program.map(Arc::new).ok_or_else(|| {
        eprintln!("{name}: {}; nothing was run", told::sum(&diagnostics));
        ExitCode::from(NOT_RUN)
    })
}

impl Choice {
    /// The program, checked; or what keeps it from being run, told.
    fn program(&self, global: Global) -> Result<(Arc<Program>, Options), ExitCode> {
        let settings = self.settings().map_err(|why| refused(NOT_RUN, why))?;
        let input = input::read(&self.file).map_err(|why| refused(NOT_RUN, why))?;
        let program = program(input, &settings, self.format, global)?;
        let options = Options { only: self.only.clone(), from: self.from.clone(), no_rollback: false };
        if let Some(step) = unknown_step(&program, &options) {
            let steps: Vec<&str> = program.steps.iter().map(|step| &*step.name).collect();
            let why = format!("there is no step `{step}`; its steps are {}", steps.join(", "));
            return Err(refused(NOT_RUN, why));
        }
        Ok((program, options))
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| refused(NOT_TOLD, error))
}

impl Exec {
    pub fn run(self, global: Global) -> ExitCode {
        self.try_run(global).unwrap_or_else(|code| code)
    }

    fn try_run(self, global: Global) -> Result<ExitCode, ExitCode> {
        let (program, options) = self.choice.program(global)?;
        let options = Options { no_rollback: self.acting.no_rollback, ..options };
        let answers = self.acting.answers(&program)?;
        let runtime = runtime()?;
        let _tidying = tidy();
        let locked = lock(&program, None, self.acting.wait)?;
        let texts = texts(&program);
        let cancel = Cancel::new();
        let signals = Listening::new(&cancel);
        let views = Views::new(self.choice.format, global, false, &cancel, &texts);
        let views = views.with(&self.choice.reports, &texts)?;
        let store = Folder::of_project(&program.root);
        let begun = store.begin(&program).map_err(|why| refused(NOT_TOLD, why))?;
        let (sinks, showing) = views.on_threads(|| store.replay(&begun.run))?;
        let setup = Setup {
            program,
            world: real(answers),
            options,
            identity: Identity { run: Some(begun.run.clone()), by: user(), host: host() },
            redactor: output::REDACTOR.clone(),
            outlets: Outlets { ledger: Some(begun.ledger), sinks },
            cancel,
        };
        let ended = runtime.block_on(as_a_task(exec(setup)));
        let code = exit_code(&ended);
        signals.over(code);
        // What still waits (a name that is looked up, a file on a dead disk) is not waited for.
        runtime.shutdown_background();
        // Who reads slowly keeps nobody else from the next run.
        drop((begun.held, locked));
        tell_left_out(&begun.run, &begun.left_out);
        showing.finish(&begun.run);
        Ok(code.into())
    }
}

/// A task is woken by its own thread without a system call; what `block_on` waits for itself is not.
pub(super) async fn as_a_task<T: Send + 'static>(run: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(run).await {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only who waits for it here could end it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Tells what a full disk has kept out of the record of a run that is over.
pub(super) fn tell_left_out(run: &str, left_out: &LeftOut) {
    let why = match (left_out.passing(), left_out.lost()) {
        (0, 0) => return,
        (passing, 0) => format!(
            "there was no room for the whole record of run {run}: {passing} lines that commands printed and attempts of \
             expects are not in it"
        ),
        (_, lost) => format!(
            "there was no room for the end of the record of run {run}: its last {lost} events are not in it; free some \
             space, then `runbook resume {run}` does what is left of `finally` and rollback"
        ),
    };
    output::tell(&why);
}

/// Takes the runbook's lock, if it has one.
pub(super) fn lock(program: &Program, run: Option<&str>, wait: Option<Duration>) -> Result<Option<Held>, ExitCode> {
    let Some(name) = &program.lock else { return Ok(None) };
    let lock = Lock::named(name).map_err(|why| refused(NOT_TOLD, why))?;
    let holder = Holder {
        lock: name.to_string(),
        by: user(),
        host: host(),
        pid: std::process::id(),
        since: jiff::Timestamp::now(),
        runbook: program.title.to_string(),
        file: program.sources.name(program.span).to_owned(),
        run: run.map(str::to_owned),
    };
    let held = lock.take(&holder, wait.unwrap_or_default());
    held.map(Some).map_err(|error| match error {
        LockError::Held(holder) => refused(NOT_TOLD, held_by(name, holder.as_deref(), wait)),
        error => refused(NOT_TOLD, error),
    })
}

fn held_by(name: &str, holder: Option<&Holder>, wait: Option<Duration>) -> String {
    let waited = match wait {
        Some(wait) => format!("; it was waited for, for {}", time(wait.into())),
        None => "; `--wait 5m` waits for it".to_owned(),
    };
    match holder {
        Some(Holder { by, pid, since, runbook, file, .. }) => format!(
            "the lock `{name}` is held on this host: by {by}, process {pid}, since {}, for \"{runbook}\" ({file}); \
             nothing was run{waited}",
            wall(*since)
        ),
        None => format!("the lock `{name}` is held on this host by a run that has just begun; nothing was run{waited}"),
    }
}

/// The world outside.
pub(super) fn real(answers: Answers) -> Real {
    let clock: Arc<RunClock> = Arc::new(RunClock::start());
    let backends = Backends::default();
    let eyes = Eyes::new(backends.clone(), clock.clone(), Asks::Terminal);
    let people = Asked::new(answers, user());
    Real { look: eyes.clone(), vouch: eyes, act: Hands::new(backends), people, clock }
}

impl Acting {
    /// What people have answered before, where a file says it.
    pub fn answers(&self, program: &Program) -> Result<Answers, ExitCode> {
        let Some(path) = &self.answers else { return Ok(Answers::default()) };
        let read = Answers::read(path, &questions(program), jiff::Timestamp::now());
        read.map_err(|why| refused(NOT_RUN, format!("{why}; nothing was run")))
    }
}

/// Carries a program out without a record.
pub(super) async fn carry_out(program: Arc<Program>, sinks: Vec<Box<dyn Sink>>) -> Ended {
    let cancel = Cancel::new();
    let _signals = Listening::new(&cancel);
    let setup = Setup {
        program,
        world: real(Answers::default()),
        options: Options::default(),
        identity: Identity { run: None, by: user(), host: host() },
        redactor: output::REDACTOR.clone(),
        outlets: sinks.into(),
        cancel,
    };
    exec(setup).await
}

pub(super) fn exit_code(ended: &Ended) -> u8 {
    match (ended.verdict, &ended.cause) {
        (_, Some(Cause::Interrupt)) => 130,
        (_, Some(Cause::Terminate | Cause::Quit | Cause::HangUp)) => 143,
        (_, Some(Cause::Unkept(_) | Cause::Preflight(_))) => NOT_TOLD,
        (Verdict::Go, _) => 0,
        (Verdict::NoGo | Verdict::RolledBack | Verdict::RollbackFailed, _) => 1,
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
        let _tidying = tidy();
        let trust = if self.trust_probes { Trust::AuthorsWord } else { Trust::Sandboxed };
        let texts = texts(&program);
        let views = Views::new(self.choice.format, global, true, &Cancel::new(), &texts);
        let (sinks, written) = match views.with(&self.choice.reports, &texts) {
            Ok(views) => views.in_turn(),
            Err(code) => return code,
        };
        let differs = runtime.block_on(plan(program, &options, trust, sinks));
        runtime.shutdown_background();
        // Here the report is what was asked for.
        if !written.whole() {
            return ExitCode::from(NOT_TOLD);
        }
        if self.detailed_exitcode && differs { ExitCode::from(3) } else { ExitCode::SUCCESS }
    }
}

/// Walks a program in a world that can only be looked at; whether anything differs or is unknown.
pub(super) async fn plan(program: Arc<Program>, options: &Options, trust: Trust, sinks: Vec<Box<dyn Sink>>) -> bool {
    let clock: Arc<RunClock> = Arc::new(RunClock::start());
    let eyes = Eyes::new(Backends::default(), clock.clone(), Asks::Nobody);
    let world = ReadOnly { look: eyes.clone(), vouch: eyes, clock };
    let sum = dry_run(program, world, options, trust, output::REDACTOR.clone(), sinks).await;
    let differs = [State::Differs, State::Unknown, State::Undecided].map(|state| sum.count_of(state));
    differs.iter().sum::<u32>() + sum.assumed() + sum.stops_not_quiet > 0
}
