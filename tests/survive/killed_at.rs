//! Carries a runbook out as `runbook exec` and `runbook resume` do, and kills itself at a point of its record.
//!
//! `killed-at POINT exec FILE [PARAM=VALUE…]`, `killed-at POINT resume FILE [--redo STEP | --assume-done STEP]…`: a point
//! is just before a line is written, just after it, or just after it is on disk. Without such a point it ends as the
//! command would.

use std::process::ExitCode;
use std::sync::Arc;

use runbook::check::program::{Program, Settings};
use runbook::check::{Input, check};
use runbook::engine::events::event::{Ledger, LedgerError, Published, Verdict};
use runbook::engine::interpreter::resume::{Decisions, preflight};
use runbook::engine::world::RunClock;
use runbook::engine::{Cancel, Identity, Options, Outlets, Past, Real, Redactor, Setup, exec, go_on};
use runbook::process;
use runbook::record::{Folder, Store};
use runbook::world::people::{Answers, Asked};
use runbook::world::{Asks, Backends, Eyes, Hands};

struct Killed {
    inner: Box<dyn Ledger>,
    left: u64,
}

impl Killed {
    fn point(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            // SAFETY: plain system calls.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
    }
}

impl Ledger for Killed {
    fn append(&mut self, event: &Published) -> Result<(), LedgerError> {
        self.point();
        let written = self.inner.append(event);
        self.point();
        written
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        let committed = self.inner.commit();
        self.point();
        committed
    }
}

fn world() -> Real {
    let clock: Arc<RunClock> = Arc::new(RunClock::start());
    let backends = Backends::default();
    let eyes = Eyes::new(backends.clone(), clock.clone(), Asks::Nobody);
    let people = Asked::new(Answers::default(), "t".to_owned());
    Real { look: eyes.clone(), vouch: eyes, act: Hands::new(backends), people, clock }
}

fn program(file: &str, settings: &Settings) -> Arc<Program> {
    let bytes = std::fs::read(file).expect("a runbook");
    let input = Input { name: file.to_owned(), path: Some(file.into()), bytes, kept: None };
    let checked = check(input, settings);
    Arc::new(checked.program.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
}

fn main() -> ExitCode {
    if let Some(code) = process::watchdog_main() {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [left, command, file, rest @ ..] = args.as_slice() else { return ExitCode::from(2) };
    let left: u64 = left.parse().expect("a number");
    let (identity, redactor, cancel) =
        (|run| Identity { run, by: "t".into(), host: "h".into() }, Redactor::new(), Cancel::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let setup = |program: Arc<Program>, run: String, inner: Box<dyn Ledger>| Setup {
        program,
        world: world(),
        options: Options::default(),
        identity: identity(Some(run)),
        redactor: redactor.clone(),
        outlets: Outlets { ledger: Some(Box::new(Killed { inner, left })), sinks: Vec::new() },
        cancel: cancel.clone(),
    };
    let ended = if command == "exec" {
        let set = rest.iter().filter_map(|set| set.split_once('=')).map(|(name, value)| (name.into(), value.into()));
        let settings = Settings { set: set.collect(), values_required: true, ..Settings::default() };
        let program = program(file, &settings);
        let begun = Folder::of_project(&program.root).begin(&program).expect("a record");
        let held = begun.held;
        let ended = runtime.block_on(exec(setup(program, begun.run, begun.ledger)));
        drop(held);
        ended
    } else {
        let store = Folder::nearest().expect("a state folder");
        let run = store.find("last").expect("a run");
        let past = Past::of(store.read(&run).expect("a record").events);
        let recorded = past.params.iter().filter_map(|(name, data, origin)| {
            Some((name.clone(), runbook::value::recorded::read(data).known()?.clone(), origin.clone()))
        });
        let settings = Settings { recorded: recorded.collect(), values_required: true, ..Settings::default() };
        let program = program(file, &settings);
        let mut decisions = Decisions::default();
        for decision in rest.chunks(2) {
            match decision {
                [word, step] if word == "--redo" => decisions.redo.push(step.clone()),
                [_, step] => decisions.assume_done.push(step.clone()),
                _ => {}
            }
        }
        let looking = preflight(program.clone(), world(), redactor.clone(), &past, &decisions);
        let footing = match runtime.block_on(looking) {
            Ok(footing) => footing,
            Err(refused) => {
                eprintln!("{refused:?}");
                return ExitCode::from(4);
            }
        };
        let begun = store.take_up(&run).expect("a record");
        let resumed = footing.told(&past, &identity(None), begun.torn, None);
        let ended = runtime.block_on(go_on(setup(program, begun.run, begun.ledger), &past, footing, resumed));
        drop(begun.held);
        ended
    };
    process::finish();
    if ended.verdict == Verdict::Go { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
