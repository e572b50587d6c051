//! `runbook resume RUN`: goes on with a run that was cut off.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::check::Input;
use crate::check::program::Program;
use crate::engine::interpreter::resume::{Decisions, Footing, Refused, preflight};
use crate::engine::{Cancel, Identity, Options, Outlets, Past, Setup, go_on};
use crate::record::{Store, host, user};
use crate::report::safe::safe;
use crate::report::times::wall;

use crate::process::tidy;
use crate::world::people::Answers;

use super::forms::Views;
use super::output::refused;
use super::recorded::{Found, found, settings};
use super::run::{Acting, exit_code, lock, program, real, runtime, tell_left_out};
use super::signals::Listening;
use super::{Format, Global, NOT_RUN, NOT_TOLD, Reports, output};

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
    #[command(flatten)]
    reports: Reports,
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
            let why = format!(
                "run {run} has ended: {}; there is nothing to go on with (`runbook report {run}` shows it, \
                 `runbook exec` begins anew)",
                verdict.name()
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
        let answers = self.acting.answers(&program)?;
        let runtime = runtime()?;
        let _tidying = tidy();
        let locked = lock(&program, Some(&run), self.acting.wait)?;
        if !global.quiet && self.format != Format::Json {
            eprintln!("Resuming run {run}: {}", safe(&program.title));
        }
        let footing = self.footing(&runtime, &program, &past)?;
        let texts = found.texts();
        let cancel = Cancel::new();
        let signals = Listening::new(&cancel);
        let views = Views::new(self.format, global, false, &cancel, &texts);
        let views = views.with(&self.reports, &texts)?;
        let begun = found.take_up()?;
        let (sinks, showing) = views.behind(&past).on_threads(|| found.store.replay(&run))?;
        let identity = Identity { run: Some(run.clone()), by: user(), host: host() };
        let resumed = footing.told(&past, &identity, begun.torn, changed);
        let setup = Setup {
            program,
            world: real(answers),
            options: Options { only: past.only.clone(), from: past.from.clone(), no_rollback: self.acting.no_rollback },
            identity,
            redactor: output::REDACTOR.clone(),
            outlets: Outlets { ledger: Some(begun.ledger), sinks },
            cancel,
        };
        let ended = runtime.block_on(go_on(setup, &past, footing, resumed));
        let code = exit_code(&ended);
        signals.over(code);
        runtime.shutdown_background();
        // Who reads slowly keeps nobody else from the next run.
        drop((begun.held, locked));
        tell_left_out(&run, &begun.left_out);
        showing.finish(&run);
        Ok(code.into())
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
            let looking =
                preflight(program.clone(), real(Answers::default()), output::REDACTOR.clone(), past, &decisions);
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

impl Found {
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
            refused(NOT_RUN, format!("`{}` can't be read: {}", path.display(), crate::value::display::io_words(&error)))
        })?;
        let path = Some(path);
        let input = Input { name: main.name.clone(), path, bytes, kept: None };
        let now = program(input, &settings(past), resume.format, global)?;
        let before = self.program(past, resume.format, global)?;
        same_so_far(past, &before, &now).map_err(|why| refused(NOT_RUN, why))?;
        Ok(Some(now))
    }
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
