//! `runbook resume`, `rollback`, `runs` and `report`: what is done with runs that were recorded.

use std::collections::HashMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use crate::check::program::{Program, Settings, Step};
use crate::check::{Input, Kept};
use crate::engine::event::{Body, Published, Sink, Verdict};
use crate::engine::resume::{Decisions, Footing, Refused, preflight};
use crate::engine::{Cancel, Identity, Options, Outlets, Past, Setup, WayBack, go_on, roll_back};
use crate::record::{Begun, Folder, Record, RunState, Store, Summary, host, user};
use crate::report::json::Json;
use crate::report::markdown::Markdown;
use crate::report::safe::safe;
use crate::report::text::{Text, time, wall};
use crate::value::{Value, recorded};

use super::run::{Acting, exit_code, listening, lock, program, real, refused, runtime, sinks};
use super::{Format, Global, NOT_RUN, NOT_TOLD, output};

#[derive(Args)]
pub(super) struct Resume {
    /// The run: its id, the beginning or end of it, or `last`
    run: String,
    /// Do the step's action that is in doubt again; where there is none, the whole step
    #[arg(long, value_name = "STEP")]
    redo: Vec<String>,
    /// The step's action that is in doubt was done
    #[arg(long, value_name = "STEP")]
    assume_done: Vec<String>,
    /// Go on with the runbook as it is now; the steps that have begun must be the same
    #[arg(long)]
    changed: bool,
    /// The form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    acting: Acting,
}

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
}

#[derive(Args)]
pub(super) struct Runs {
    /// The form of what is printed: `text` or `json`
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Args)]
pub(super) struct Report {
    /// The run: its id, the beginning or end of it, or `last`
    run: String,
    /// The form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Check that the record is as it was written, instead
    #[arg(long)]
    verify: bool,
}

/// How long the commands of a run that was killed may take to end.
const ENDING: Duration = Duration::from_secs(3);

/// A run that was found, and what its record says.
struct Found {
    store: Folder,
    record: Record,
}

fn found(name: &str) -> Result<Found, ExitCode> {
    let store = Folder::nearest().map_err(|why| refused(NOT_RUN, why))?;
    let run = store.find(name).map_err(|why| refused(NOT_RUN, why))?;
    let record = store.read(&run).map_err(|why| refused(NOT_TOLD, why))?;
    Ok(Found { store, record })
}

impl Found {
    /// What is recorded, if the run can be acted on: its record is whole, and nobody else acts on it.
    fn past(&mut self) -> Result<Past, ExitCode> {
        // The commands of a run that was killed are being ended: that takes a moment.
        let began = Instant::now();
        while self.record.running && began.elapsed() < ENDING {
            std::thread::sleep(Duration::from_millis(20));
            self.record = self.store.read(&self.record.run).map_err(|why| refused(NOT_TOLD, why))?;
        }
        let run = &self.record.run;
        if let Some(broken) = &self.record.broken {
            let why = format!(
                "the record of run {run} was changed: line {}: {}; nothing is done on what may not be true",
                broken.line, broken.why
            );
            return Err(refused(NOT_TOLD, why));
        }
        if self.record.running {
            return Err(refused(NOT_TOLD, format!("run {run} is being carried out right now; nothing was done")));
        }
        if self.record.events.is_empty() {
            let why = format!("the record of run {run} is empty: the run was cut off before anything was done");
            return Err(refused(NOT_RUN, why));
        }
        Ok(Past::of(std::mem::take(&mut self.record.events)))
    }

    /// The texts that the run was read from: the runbook first, then its modules.
    fn kept(&self, past: &Past) -> Result<Vec<Vec<u8>>, ExitCode> {
        let texts = past.sources.iter().map(|file| self.store.source(&self.record.run, &file.hash));
        texts.collect::<Result<_, _>>().map_err(|why| refused(NOT_TOLD, why))
    }

    /// The program as the run read it.
    fn program(&self, past: &Past, format: Format, global: Global) -> Result<Arc<Program>, ExitCode> {
        let texts = self.kept(past)?;
        let mut files = past.sources.iter().zip(texts);
        let Some((main, bytes)) = files.next() else {
            return Err(refused(NOT_TOLD, format!("the record of run {} names no runbook", self.record.run)));
        };
        let modules: HashMap<String, (PathBuf, Vec<u8>)> = files
            .map(|(file, bytes)| {
                (file.name.clone(), (PathBuf::from(file.path.clone().unwrap_or(file.name.clone())), bytes))
            })
            .collect();
        let path = main.path.as_ref().map(|_| PathBuf::from(&main.name));
        let kept = Some(Kept { root: PathBuf::from(&past.root), modules });
        // What the checker warns of was told when the run began.
        let global = Global { quiet: true, ..global };
        program(Input { name: main.name.clone(), path, bytes, kept }, &settings(past), format, global)
    }

    /// The program as it is now, where it is another one.
    fn changed(&self, past: &Past, resume: &Resume, global: Global) -> Result<Option<Arc<Program>>, ExitCode> {
        let mut changed = Vec::new();
        for (file, before) in past.sources.iter().zip(self.kept(past)?) {
            let Some(path) = &file.path else { continue };
            let now = std::fs::read(path).unwrap_or_default();
            // As the run read it: without a mark at its beginning.
            let now = now.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&now);
            if now != before {
                changed.push((file, before, now.to_vec()));
            }
        }
        if changed.is_empty() {
            return Ok(None);
        }
        if !resume.changed {
            let mut why = String::from("the runbook was changed since the run began; nothing was done\n");
            for (file, before, now) in &changed {
                let (before, now) = (String::from_utf8_lossy(before), String::from_utf8_lossy(now));
                let diff = similar::TextDiff::from_lines(&*before, &*now);
                let name = safe(&file.name);
                let unified = diff.unified_diff().context_radius(2).header(&name, "as it is now").to_string();
                why.extend(unified.lines().map(|line| format!("    {}\n", safe(line))));
            }
            why.push_str(
                "put it back, or go on with it as it is now: `--changed` (the steps that have begun must be the same)",
            );
            return Err(refused(NOT_RUN, why));
        }
        let Some(main) = past.sources.first() else { return Ok(None) };
        let path = main.path.as_ref().map(PathBuf::from).unwrap_or_default();
        let bytes = std::fs::read(&path).map_err(|error| {
            refused(NOT_RUN, format!("`{}` can't be read: {}", path.display(), crate::check::plain(&error)))
        })?;
        let path = Some(path);
        let input = Input { name: main.name.clone(), path, bytes, kept: None };
        let now = program(input, &settings(past), resume.format, global)?;
        let before = self.program(past, resume.format, global)?;
        same_so_far(past, &before, &now).map_err(|why| refused(NOT_RUN, why))?;
        Ok(Some(now))
    }
}

/// The params that a run had.
fn settings(past: &Past) -> Settings {
    let recorded = past.params.iter().filter_map(|(name, data, origin)| {
        let value: Value = recorded::read(data).known()?.clone();
        Some((name.clone(), value, origin.clone()))
    });
    Settings { recorded: recorded.collect(), values_required: true, ..Settings::default() }
}

/// Whether what has begun of a run is the same in a changed runbook.
fn same_so_far(past: &Past, before: &Program, now: &Program) -> Result<(), String> {
    let words = |program: &Program, at: usize| -> Vec<String> {
        let text = program.steps.get(at).map(|step| program.sources.text(step.span)).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    };
    let begun = before.steps.iter().rposition(|step| past.steps.get(&*step.name).is_some_and(|past| past.attempt > 0));
    for at in 0..begun.map_or(0, |begun| begun + 1) {
        if words(before, at) != words(now, at) {
            let step = &before.steps[at].name;
            return Err(format!("step `{step}` had begun when the run was cut off, and is not the same any more"));
        }
    }
    let modules = |program: &Program| -> Vec<String> {
        crate::engine::own_sources(program).skip(1).map(|(_, file)| file.hash).collect()
    };
    if begun.is_some() && modules(before) != modules(now) {
        return Err("a module that steps which have begun may use is not the same any more".to_owned());
    }
    Ok(())
}

impl Resume {
    pub fn run(self, global: Global) -> ExitCode {
        self.try_run(global).unwrap_or_else(|code| code)
    }

    fn try_run(self, global: Global) -> Result<ExitCode, ExitCode> {
        let mut found = found(&self.run)?;
        let past = found.past()?;
        let run = found.record.run.clone();
        if let Some(verdict) = past.verdict {
            let verdict = if verdict == Verdict::Go { "GO" } else { "NO-GO" };
            let why = format!(
                "run {run} has ended: {verdict}; there is nothing to go on with (`runbook report {run}` shows it, \
                 `runbook exec` begins anew)"
            );
            return Err(refused(NOT_RUN, why));
        }
        if past.stdlib != crate::check::library().hash.to_string() && !self.changed {
            let why = "the run was begun by another version of runbook, with another standard library; go on with that \
                       version, or say `--changed`";
            return Err(refused(NOT_RUN, why));
        }
        let (program, changed) = match found.changed(&past, &self, global)? {
            Some(program) => (program.clone(), Some(program.hash.to_string())),
            None => (found.program(&past, self.format, global)?, None),
        };
        let runtime = runtime()?;
        let _lock = lock(&program, Some(&run), self.acting.wait)?;
        if !global.quiet && self.format != Format::Json {
            eprintln!("Resuming run {run}: {}", safe(&program.title));
        }
        let footing = self.footing(&runtime, &program, &past)?;
        let begun = found.take_up()?;
        let cancel = Cancel::new();
        let identity = Identity { run: Some(run), by: user(), host: host() };
        let resumed = footing.told(&past, &identity, begun.torn, changed);
        let setup = Setup {
            program,
            world: real(),
            options: Options { only: past.only.clone(), from: past.from.clone(), no_rollback: self.acting.no_rollback },
            identity,
            redactor: output::REDACTOR.clone(),
            outlets: Outlets {
                ledger: Some(begun.ledger),
                sinks: behind(sinks(self.format, global, false, &cancel), self.format, &past),
            },
            cancel: cancel.clone(),
        };
        let ended = runtime.block_on(listening(cancel, go_on(setup, &past, footing, resumed)));
        runtime.shutdown_background();
        drop(begun.held);
        Ok(exit_code(&ended))
    }

    /// Looks at what is recorded, and asks who is there what nothing tells.
    fn footing(
        &self,
        runtime: &tokio::runtime::Runtime,
        program: &Arc<Program>,
        past: &Past,
    ) -> Result<Footing, ExitCode> {
        let mut decisions = Decisions { redo: self.redo.clone(), assume_done: self.assume_done.clone() };
        loop {
            let looking = preflight(program.clone(), real(), output::REDACTOR.clone(), past, &decisions);
            let refusal = match runtime.block_on(looking) {
                Ok(footing) => return Ok(footing),
                Err(refusal) => refusal,
            };
            if let Refused::InDoubt { step, .. } = &refusal
                && std::io::stdin().is_terminal()
                && std::io::stderr().is_terminal()
            {
                eprintln!("{}", told(&refusal));
                match ask("Was it done?  [y] it was   [n] do it again   [q] leave it as it is: ").as_deref() {
                    Some("y") => decisions.assume_done.push(step.clone()),
                    Some("n") => decisions.redo.push(step.clone()),
                    _ => return Err(refused(NOT_TOLD, "left as it is; nothing was done")),
                }
                continue;
            }
            let code = match refusal {
                Refused::NoLonger(_) => 1,
                Refused::InDoubt { .. } => NOT_TOLD,
                Refused::Misfit(_) | Refused::NothingToDecide { .. } => NOT_RUN,
            };
            return Err(refused(code, told(&refusal)));
        }
    }
}

/// Asks on the terminal, until the answer is one of the letters.
fn ask(question: &str) -> Option<String> {
    for _ in 0..5 {
        eprint!("{question}");
        let _ = std::io::stderr().flush();
        let mut answer = String::new();
        if std::io::stdin().lock().read_line(&mut answer).ok()? == 0 {
            return None;
        }
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => return Some("y".to_owned()),
            "n" | "no" => return Some("n".to_owned()),
            "q" | "quit" => return None,
            _ => {}
        }
    }
    None
}

fn told(refusal: &Refused) -> String {
    match refusal {
        Refused::InDoubt { step, action, since, file, line, why } => format!(
            "whether an action was done can't be told; nothing was done\n\
             \x20   in doubt   {}\n\
             \x20   step       {step} ({file}:{line})\n\
             \x20   started    {}, and its end was not seen\n\
             \x20   because    {}\n\
             Look whether it was done, then say so:\n\
             \x20   --assume-done {step}   it was done: go on behind it\n\
             \x20   --redo {step}          it was not, or may be done twice: do it again",
            safe(action),
            wall(*since),
            safe(why)
        ),
        Refused::NoLonger(lost) => {
            let mut text =
                String::from("what was proven before the run was cut off holds no longer; nothing was done\n");
            for lost in lost {
                text.push_str(&format!(
                    "  ✗ {}\n      expected {}\n      found    {}\n      at       {}:{}\n",
                    safe(&lost.text),
                    safe(&lost.expected),
                    safe(&lost.actual),
                    lost.file,
                    lost.line
                ));
            }
            text.push_str("Put it right and resume again, or begin anew with `runbook exec`.");
            text
        }
        Refused::Misfit(why) => format!("the record and the runbook do not fit together; nothing was done: {why}"),
        Refused::NothingToDecide { step, why } => {
            format!("there is nothing to decide about step `{step}`: {why}; nothing was done")
        }
    }
}

/// A form that tells all of a run at its end is told what happened before.
fn behind(mut sinks: Vec<Box<dyn Sink>>, format: Format, past: &Past) -> Vec<Box<dyn Sink>> {
    if format == Format::Markdown
        && let Some(markdown) = sinks.first_mut()
    {
        past.events.iter().filter(|event| !ends(event)).for_each(|event| markdown.take(event));
    }
    sinks
}

fn ends(event: &Published) -> bool {
    matches!(event.get().body, Body::Verdict { .. })
}

impl Found {
    fn take_up(&self) -> Result<Begun, ExitCode> {
        let run = &self.record.run;
        let begun = self.store.take_up(run).map_err(|why| refused(NOT_TOLD, why))?;
        if begun.lines != self.record.lines {
            return Err(refused(NOT_TOLD, format!("run {run} was gone on with by someone else just now")));
        }
        Ok(begun)
    }
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
        let way = WayBack::of(&program, |step| recorded(step).is_some_and(|past| past.acted));
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
        let _lock = lock(&program, Some(&run), self.wait)?;
        let begun = found.take_up()?;
        if !global.quiet && self.format != Format::Json {
            eprintln!("Rolling back run {run}: {}", safe(&program.title));
        }
        let cancel = Cancel::new();
        let identity = Identity { run: Some(run), by: user(), host: host() };
        let reason = format!("{} on {} asked for it", identity.by, identity.host);
        let setup = Setup {
            program,
            world: real(),
            options: Options { only: past.only.clone(), from: past.from.clone(), no_rollback: false },
            identity,
            redactor: output::REDACTOR.clone(),
            outlets: Outlets {
                ledger: Some(begun.ledger),
                sinks: behind(sinks(self.format, global, false, &cancel), self.format, &past),
            },
            cancel: cancel.clone(),
        };
        let ended = runtime.block_on(listening(cancel, roll_back(setup, &past, reason)));
        runtime.shutdown_background();
        drop(begun.held);
        // What was asked for is the undoing: that it was done, and proven, is its success.
        Ok(match (&ended.cause, ended.undone) {
            (None, true) => ExitCode::SUCCESS,
            _ => exit_code(&ended),
        })
    }
}

impl Runs {
    pub fn run(self, global: Global) -> ExitCode {
        let runs = match Folder::nearest() {
            Ok(store) => store.runs(),
            Err(why) if self.format == Format::Json => {
                eprintln!("runbook: {why}");
                Ok(Vec::new())
            }
            Err(why) => return refused(NOT_RUN, why),
        };
        let runs = match runs {
            Ok(runs) => runs,
            Err(why) => return refused(NOT_TOLD, why),
        };
        let mut out = std::io::stdout().lock();
        let _ = match self.format {
            Format::Json => {
                let text = serde_json::to_string(&runs).unwrap_or_default();
                writeln!(out, "{}", crate::report::safe::safe_json(text))
            }
            _ => out.write_all(table(&runs, global).as_bytes()),
        };
        ExitCode::SUCCESS
    }
}

/// Runs as a table, newest first.
fn table(runs: &[Summary], global: Global) -> String {
    use crate::report::style::Paint;
    let paint = Paint { on: global.colour_out() };
    let head = ["RUN", "STARTED", "RUNBOOK", "WHO", "VERDICT", "TIME", "STOPPED"].map(str::to_owned);
    let rows: Vec<[String; 7]> = runs
        .iter()
        .map(|run| {
            let verdict = match (run.state, run.verdict) {
                (RunState::Running, _) => "running",
                (RunState::CutOff, _) => "cut off",
                (RunState::Unreadable, _) => "unreadable",
                (RunState::Ended, Some(Verdict::Go)) => "GO",
                (RunState::Ended, _) => "NO-GO",
            };
            let started = match run.state {
                RunState::Unreadable => String::new(),
                _ => wall(run.started),
            };
            let who = run.by.clone().unwrap_or_default();
            let took = time(run.elapsed().into());
            let stopped = short(run.stopped.as_deref().unwrap_or_default(), 100);
            [run.run.clone(), started, short(&run.runbook, 40), safe(&who), verdict.to_owned(), took, stopped]
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).map(|row| unicode_width::UnicodeWidthStr::width(row[column].as_str()));
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..7).map(width).collect();
    // On a terminal a run is a line.
    let most = std::io::stdout()
        .is_terminal()
        .then(|| global.text(true).width.saturating_sub(widths[..6].iter().sum::<usize>() + 2 * 6).max(10));
    let line = |row: &[String; 7], head: bool| {
        let mut text = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cell = &match (column, most) {
                (6, Some(most)) => short(cell, most.saturating_sub(1)),
                _ => cell.clone(),
            };
            let pad = " ".repeat(widths[column] - unicode_width::UnicodeWidthStr::width(cell.as_str()));
            let painted = match (head, column, cell.as_str()) {
                (true, ..) => paint.dim(cell),
                (_, 4, "GO") => paint.good(cell),
                (_, 4, "NO-GO") => paint.bad(cell),
                (_, 4, _) => paint.doubtful(cell),
                _ => cell.clone(),
            };
            text.push_str(&format!("{painted}{pad}  "));
        }
        text.trim_end().to_owned() + "\n"
    };
    std::iter::once(line(&head, true)).chain(rows.iter().map(|row| line(row, false))).collect()
}

fn short(text: &str, most: usize) -> String {
    let text = safe(text.lines().next().unwrap_or_default());
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

impl Report {
    pub fn run(self, global: Global) -> ExitCode {
        self.try_run(global).unwrap_or_else(|code| code)
    }

    fn try_run(self, global: Global) -> Result<ExitCode, ExitCode> {
        let found = found(&self.run)?;
        if self.verify {
            return Ok(found.verify());
        }
        let Found { record, .. } = found;
        let run = &record.run;
        if let Some(broken) = &record.broken {
            eprintln!(
                "runbook: the record of run {run} is not as it was written: line {}: {}",
                broken.line, broken.why
            );
        }
        if let Some(bytes) = record.torn {
            eprintln!("runbook: the last line of the record is torn (a loss of power): {bytes} bytes are left out");
        }
        let out = output::Gathered::default();
        let mut sink: Box<dyn Sink> = match self.format {
            Format::Json => Box::new(Json::new(out)),
            Format::Markdown => Box::new(Markdown::new(out)),
            // One stream for what was two when it was live.
            Format::Text => Box::new(Text::new(out.clone(), out, global.text(true))),
        };
        for event in &record.events {
            sink.take(event);
        }
        drop(sink);
        if !record.events.last().is_some_and(ends) {
            let state = if record.running {
                format!("run {run} is being carried out right now")
            } else {
                format!("run {run} was cut off here; `runbook resume {run}` goes on with it")
            };
            eprintln!("runbook: {state}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Found {
    fn verify(&self) -> ExitCode {
        let Record { run, lines, hash, .. } = &self.record;
        if let Some(broken) = &self.record.broken {
            println!("run {run}: line {} is not as it was written: {}", broken.line, broken.why);
            return ExitCode::FAILURE;
        }
        if let Some(bytes) = self.record.torn {
            println!(
                "run {run}: line {} is torn: its last {bytes} bytes are no whole line, as after a loss of power; the \
                 {lines} before it are as they were written",
                lines + 1
            );
            return ExitCode::FAILURE;
        }
        let sources = self.record.events.first().and_then(|event| match &event.get().body {
            Body::RunStarted { sources, .. } => Some(sources.clone()),
            _ => None,
        });
        for file in sources.unwrap_or_default() {
            if let Err(why) = self.store.source(run, &file.hash) {
                println!("run {run}: {}: {why}", file.name);
                return ExitCode::FAILURE;
            }
        }
        let end = match (self.record.running, self.record.events.last().is_some_and(ends)) {
            (true, _) => "it is being carried out",
            (false, true) => "from its beginning to its verdict",
            (false, false) => "it has no verdict: it was cut off, or its end was removed",
        };
        println!("run {run}: {lines} lines, all as they were written; {end}\nsha256 {hash}");
        ExitCode::SUCCESS
    }
}
