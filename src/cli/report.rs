//! `runbook report RUN`: the report of a run, again, from its record alone; and whether the record is as it was written.

use std::process::ExitCode;

use clap::Args;

use crate::engine::event::{Body, Sink};
use crate::record::{Record, Store};
use crate::report::html::Html;
use crate::report::json::Json;
use crate::report::junit::Junit;
use crate::report::markdown::Markdown;
use crate::report::tap::Tap;
use crate::report::text::Text;

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
            Format::Html => Box::new(Html::new(out)),
            Format::Junit => Box::new(Junit::new(out)),
            Format::Tap => Box::new(Tap::new(out)),
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
