//! `runbook report RUN`: the report of a run, again, from its record alone; and whether the record is as it was written.

use std::process::ExitCode;

use clap::Args;

use crate::engine::events::event::{Body, SourceFile};
use crate::record::{Record, Store};

use super::forms::Form;
use super::recorded::{Found, ends, found};
use super::{Format, Global, output};

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

impl Report {
    pub fn run(self, global: Global) -> ExitCode {
        self.try_run(global).unwrap_or_else(|code| code)
    }

    fn try_run(self, global: Global) -> Result<ExitCode, ExitCode> {
        let found = found(&self.run)?;
        if self.verify {
            return Ok(found.verify());
        }
        let texts = found.texts();
        let record = found.record;
        let run = &record.run;
        if let Some(broken) = &record.broken {
            eprintln!(
                "runbook: the record of run {run} is not as it was written: line {}: {}",
                broken.line, broken.fault
            );
        }
        if let Some(bytes) = record.torn {
            eprintln!("runbook: the last line of the record is torn (a loss of power): {bytes} bytes are left out");
        }
        let mut sink = Form::of(self.format, global.text(true)).sink(output::Gathered::default(), &texts);
        record.events.iter().for_each(|event| sink.take(event));
        let finished = record.events.last().is_some_and(ends);
        let state = match record.running {
            true => format!("run {run} is being carried out right now"),
            false => format!("run {run} was cut off here; `runbook resume {run}` goes on with it"),
        };
        if !finished {
            sink.unfinished(&state);
        }
        drop(sink);
        if !finished {
            eprintln!("runbook: {state}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Found {
    fn verify(&self) -> ExitCode {
        let Record { run, lines, hash, .. } = &self.record;
        if let Some(broken) = &self.record.broken {
            println!("run {run}: line {} is not as it was written: {}", broken.line, broken.fault);
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
        for file in sources(&self.record) {
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

/// The files that a run was read from.
fn sources(record: &Record) -> Vec<SourceFile> {
    match record.events.first().map(|event| &event.get().body) {
        Some(Body::RunStarted { sources, .. }) => sources.clone(),
        _ => Vec::new(),
    }
}
