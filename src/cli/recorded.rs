//! Runs that were recorded: finding them, and what is done with them needs to know.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::program::{Program, Settings};
use crate::check::{Input, Kept};
use crate::engine::Past;
use crate::engine::events::event::{Body, Published};
use crate::record::{Begun, Folder, Record, Store};
use crate::report::texts::Texts;
use crate::value::{Value, recorded};

use super::output::refused;
use super::run::program;
use super::{Format, Global, NOT_RUN, NOT_TOLD};

/// How long the commands of a run that was killed may take to end.
const ENDING: Duration = Duration::from_secs(3);

/// A run that was found, and what its record says.
pub(super) struct Found {
    pub store: Folder,
    pub record: Record,
}

pub(super) fn found(name: &str) -> Result<Found, ExitCode> {
    let store = Folder::nearest().map_err(|why| refused(NOT_RUN, why))?;
    store.trusted().map_err(|why| refused(NOT_TOLD, why))?;
    let run = store.find(name).map_err(|why| refused(NOT_RUN, why))?;
    let record = store.read(&run).map_err(|why| refused(NOT_TOLD, why))?;
    Ok(Found { store, record })
}

impl Found {
    /// What is recorded, if the run can be acted on: its record is whole, and nobody else acts on it.
    pub fn past(&mut self) -> Result<Past, ExitCode> {
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
                broken.line, broken.fault
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

    /// Goes on with writing its record.
    pub fn take_up(&self) -> Result<Begun, ExitCode> {
        let run = &self.record.run;
        let begun = self.store.take_up(run).map_err(|why| refused(NOT_TOLD, why))?;
        if begun.lines != self.record.lines {
            return Err(refused(NOT_TOLD, format!("run {run} was gone on with by someone else just now")));
        }
        Ok(begun)
    }

    /// The texts that the run was read from: the runbook first, then its modules.
    pub fn kept(&self, past: &Past) -> Result<Vec<Vec<u8>>, ExitCode> {
        let texts = past.sources.iter().map(|file| self.store.source(&self.record.run, &file.hash));
        texts.collect::<Result<_, _>>().map_err(|why| refused(NOT_TOLD, why))
    }

    /// The texts that the run was read from. One that can't be read is not shown; `report --verify` says so.
    pub fn texts(&self) -> Texts {
        let (store, run) = (self.store.clone(), self.record.run.clone());
        Texts::new(move |hash| Some(String::from_utf8(store.source(&run, hash).ok()?).ok()?.into()))
    }

    /// The program as the run read it.
    pub fn program(&self, past: &Past, format: Format, global: Global) -> Result<Arc<Program>, ExitCode> {
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
}

/// The params that a run had.
pub(super) fn settings(past: &Past) -> Settings {
    let recorded = past.params.iter().filter_map(|(name, data, origin)| {
        let value: Value = recorded::read(data).known()?.clone();
        Some((name.clone(), value, origin.clone()))
    });
    Settings { recorded: recorded.collect(), values_required: true, ..Settings::default() }
}

pub(super) fn ends(event: &Published) -> bool {
    matches!(event.get().body, Body::Verdict { rolls_back: false, .. })
}
