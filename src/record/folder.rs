//! The state folder: `$RUNBOOK_STATE`, else `.runbook` in the project's root; in it a folder a run.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::check::library::hex;
use crate::check::program::Program;
use crate::engine::own_sources;

use super::error::StoreError;
use super::journal::{self, Journal, Seal};
use super::lock::Held;
use super::private::{Fault, PrivateDir};
use super::{Begun, Record, Replay, RunState, Store, Summary};

const JOURNAL: &str = "journal.jsonl";
const SEAL: &str = "seal.json";
const NEW_SEAL: &str = "seal.new";
const SOURCES: &str = "sources";
const RUNS: &str = "runs";

/// Names another place for the state folder.
const VARIABLE: &str = "RUNBOOK_STATE";

/// How much of a journal's end is looked at for a list.
const END: u64 = 256 * 1024;

/// Runs in a folder of this host.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// As it is named to people.
    shown: String,
}

impl Folder {
    /// The one for runbooks of this project.
    pub fn of_project(root: &Path) -> Self {
        match said() {
            Some(path) => Self::at(path),
            None => Self::at(root.join(".runbook")),
        }
    }

    /// The one that commands typed here mean: the nearest `.runbook` here or above.
    pub fn nearest() -> Result<Self, StoreError> {
        if let Some(path) = said() {
            return Ok(Self::at(path));
        }
        let here = std::env::current_dir().map_err(StoreError::NoWorkingDirectory)?;
        let found = here.ancestors().map(|folder| folder.join(".runbook")).find(|path| path.join(RUNS).is_dir());
        found.map(Self::at).ok_or(StoreError::NoneAbove(here))
    }

    pub fn at(path: PathBuf) -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let shown = path.strip_prefix(&here).unwrap_or(&path).display().to_string();
        Self { path, shown }
    }

    /// Whether nobody but its owner can change it. One that is not there is no danger.
    pub fn trusted(&self) -> Result<(), StoreError> {
        match self.runs_folder() {
            Err(Fault::Untrusted(why)) => Err(StoreError::Untrusted(why)),
            _ => Ok(()),
        }
    }

    fn runs_folder(&self) -> Result<PrivateDir, Fault> {
        PrivateDir::open(&self.path, VARIABLE)?.dir(RUNS)
    }

    fn run_folder(&self, run: &str) -> Result<PrivateDir, Fault> {
        self.runs_folder()?.dir(run)
    }

    fn can_not(&self, what: &'static str, fault: Fault) -> StoreError {
        let place = self.shown.clone();
        StoreError::of(fault, |source| StoreError::Directory { place, what, source })
    }

    fn make(&self) -> Result<PrivateDir, Fault> {
        let new = self.path.symlink_metadata().is_err();
        let folder = PrivateDir::make(&self.path, VARIABLE)?;
        // What is recorded is no part of the project.
        if new && !folder.holds(".gitignore") {
            folder.new_file(".gitignore")?.write_all(b"*\n")?;
        }
        folder.make_dir(RUNS)
    }

    fn begin_with(&self, program: &Program) -> Result<Begun, Fault> {
        let runs = self.make()?;
        let (run, folder) = loop {
            let run = new_id();
            match runs.new_dir(&run) {
                Ok(folder) => break (run, folder),
                Err(Fault::Failed(error)) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(fault) => return Err(fault),
            }
        };
        let path = self.path.join(RUNS).join(&run);
        let made = || {
            let sources = folder.new_dir(SOURCES)?;
            let mut beside = Vec::new();
            for (source, kept) in own_sources(program) {
                if !sources.holds(&kept.hash) {
                    let mut file = sources.new_file(&kept.hash)?;
                    file.write_all(source.text.as_bytes())?;
                    beside.push(file);
                }
            }
            let file = folder.new_file(JOURNAL)?;
            file.lock()?;
            let held = Held::new(file.try_clone()?);
            for folder in [&sources, &folder, &runs] {
                beside.push(folder.to_sync()?);
            }
            let journal = Journal::new(file, 0, String::new(), beside, sealing(folder)?)?;
            let left_out = journal.left_out();
            Ok(Begun { run, ledger: Box::new(journal), held, torn: None, lines: 0, left_out })
        };
        // A run that can't be recorded leaves nothing behind.
        made().inspect_err(|_: &Fault| drop(std::fs::remove_dir_all(&path)))
    }

    /// The journal of a run and its seal, and whether someone writes to it. Both of that is looked at first: a run that
    /// ends meanwhile is taken neither for a changed one nor for a torn one.
    fn journal(&self, run: &str) -> Result<(Vec<u8>, Seal, bool, PrivateDir), Fault> {
        let folder = self.run_folder(run)?;
        let mut file = folder.file(JOURNAL, OFlags::RDONLY)?;
        let running = is_locked(&file);
        let mut seal = Vec::new();
        match folder.file(SEAL, OFlags::RDONLY) {
            Err(fault) if fault.is_missing() => {}
            sealed => drop(sealed?.read_to_end(&mut seal)?),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((bytes, Seal::of(&seal), running, folder))
    }

    fn summary(&self, run: &str) -> Option<Summary> {
        let mut file = self.run_folder(run).ok()?.file(JOURNAL, OFlags::RDONLY).ok()?;
        let running = is_locked(&file);
        let mut first = Vec::new();
        while !first.contains(&b'\n') {
            let mut part = [0; 4096];
            match file.read(&mut part).ok()? {
                0 => break,
                count => first.extend_from_slice(&part[..count]),
            }
        }
        first.truncate(first.iter().position(|byte| *byte == b'\n').unwrap_or(first.len()));
        let first: Json = serde_json::from_slice(&first).ok()?;
        let length = file.seek(SeekFrom::End(0)).ok()?;
        file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
        let mut end = Vec::new();
        file.read_to_end(&mut end).ok()?;
        let text = |json: &Json, field: &str| json[field].as_str().map(str::to_owned);
        let time = |json: &Json| json["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        let started = time(&first)?;
        let mut last = started;
        let mut stopped = None;
        let (mut verdict, mut rollback) = (None, None);
        // From the end back, until it is known where it stopped.
        for (nth, line) in end.rsplit(|byte| *byte == b'\n').enumerate() {
            let Ok(event) = serde_json::from_slice::<Json>(line) else { continue };
            if nth <= 1 {
                last = time(&event).unwrap_or(last);
                if event["type"] == "verdict" && event["rolls_back"] != true {
                    verdict = serde_json::from_value(event["verdict"].clone()).ok();
                    if let Ok(of_run) = serde_json::from_value(event["run_verdict"].clone()) {
                        rollback = verdict.replace(of_run);
                    }
                    stopped = event["reasons"][0].as_str().map(str::to_owned);
                    break;
                }
            }
            if let Some(step) = text(&event, "step") {
                stopped = (event["type"] != "step-ended").then(|| format!("in step {step}"));
                stopped = stopped.or_else(|| Some(format!("behind step {step}")));
                break;
            }
        }
        let state = match (running, verdict) {
            (true, _) => RunState::Running,
            (false, Some(_)) => RunState::Ended,
            (false, None) => RunState::CutOff,
        };
        let verdict = verdict.filter(|_| state == RunState::Ended);
        Some(Summary {
            run: run.to_owned(),
            runbook: text(&first, "runbook").unwrap_or_default(),
            file: text(&first, "file").unwrap_or_default(),
            by: text(&first, "by"),
            host: text(&first, "host"),
            started,
            ended: verdict.map(|_| last),
            verdict,
            rollback,
            state,
            duration: (last.duration_since(started).as_millis() as f64 / 1000.0).max(0.0),
            stopped,
        })
    }

    fn ids(&self) -> Result<Vec<String>, StoreError> {
        let names = match self.runs_folder() {
            Ok(folder) => folder.names().map_err(Fault::from),
            Err(fault) if fault.is_missing() => Ok(Vec::new()),
            Err(fault) => Err(fault),
        };
        let mut ids = names.map_err(|fault| self.can_not("read", fault))?;
        ids.sort_by(|a, b| b.cmp(a));
        Ok(ids)
    }
}

impl Store for Folder {
    fn begin(&self, program: &Program) -> Result<Begun, StoreError> {
        self.begin_with(program)
            .map_err(|fault| StoreError::NotBegun { cause: Box::new(self.can_not("written", fault)) })
    }

    fn take_up(&self, run: &str) -> Result<Begun, StoreError> {
        let can_not = |fault: Fault| {
            StoreError::of(fault, |source| StoreError::Journal { run: run.to_owned(), what: "written", source })
        };
        let failed = |error: io::Error| can_not(error.into());
        let flags = OFlags::RDWR | OFlags::APPEND;
        let file = self.run_folder(run).and_then(|folder| folder.file(JOURNAL, flags)).map_err(can_not)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StoreError::Locked(run.to_owned()));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let (bytes, seal, _, folder) = self.journal(run).map_err(can_not)?;
        let read = journal::read_sealed(&bytes, &seal)?;
        if let Some(chain) = read.broken {
            return Err(StoreError::Chain { run: run.to_owned(), chain });
        }
        if read.torn.is_some() {
            file.set_len(read.whole).map_err(failed)?;
        }
        let held = Held::new(file.try_clone().map_err(failed)?);
        let seal = sealing(folder).map_err(can_not)?;
        let journal = Journal::new(file, read.lines, read.hash, Vec::new(), seal).map_err(failed)?;
        let left_out = journal.left_out();
        Ok(Begun { run: run.to_owned(), ledger: Box::new(journal), held, torn: read.torn, lines: read.lines, left_out })
    }

    fn runs(&self) -> Result<Vec<Summary>, StoreError> {
        let ids = self.ids()?;
        Ok(ids.iter().map(|run| self.summary(run).unwrap_or_else(|| unreadable(run))).collect())
    }

    fn find(&self, name: &str) -> Result<String, StoreError> {
        let ids = self.ids()?;
        if ids.is_empty() {
            return Err(StoreError::Empty(self.shown.clone()));
        }
        if name == "last" {
            return Ok(ids[0].clone());
        }
        let mut found = ids.iter().filter(|run| *run == name);
        if let Some(run) = found.next() {
            return Ok(run.clone());
        }
        let meant: Vec<&String> = match name.is_empty() {
            true => Vec::new(),
            false => ids.iter().filter(|run| run.starts_with(name) || run.ends_with(name)).collect(),
        };
        match meant.as_slice() {
            [run] => Ok((*run).clone()),
            [] => Err(StoreError::NotFound { name: name.to_owned(), place: self.shown.clone() }),
            several => {
                let runs = several.iter().take(5).map(|run| (*run).clone()).collect();
                Err(StoreError::Ambiguous { name: name.to_owned(), runs })
            }
        }
    }

    fn read(&self, run: &str) -> Result<Record, StoreError> {
        let (bytes, seal, running, _) = self.journal(run).map_err(|fault| {
            StoreError::of(fault, |source| StoreError::Journal { run: run.to_owned(), what: "read", source })
        })?;
        if let Some(first) = bytes.split(|byte| *byte == b'\n').next() {
            journal::newer(first)?;
        }
        let read = journal::read_sealed(&bytes, &seal)?;
        // What is being written may be seen before its end.
        let torn = read.torn.filter(|_| !running);
        Ok(Record {
            run: run.to_owned(),
            events: read.events,
            torn,
            broken: read.broken,
            lines: read.lines,
            hash: read.hash,
            running,
        })
    }

    fn replay(&self, run: &str) -> Replay {
        Replay::of(self.run_folder(run).and_then(|folder| folder.file(JOURNAL, OFlags::RDONLY)).ok())
    }

    fn source(&self, run: &str, hash: &str) -> Result<Vec<u8>, StoreError> {
        let opened = self.run_folder(run).and_then(|folder| folder.dir(SOURCES)?.file(hash, OFlags::RDONLY));
        let mut bytes = Vec::new();
        let read = opened.and_then(|mut file| Ok(file.read_to_end(&mut bytes)?));
        read.map_err(|fault| {
            StoreError::of(fault, |source| StoreError::SourceMissing { run: run.to_owned(), source })
        })?;
        match hex(&Sha256::digest(&bytes)) == hash {
            true => Ok(bytes),
            false => Err(StoreError::SourceChanged { run: run.to_owned(), hash: hash.to_owned() }),
        }
    }
}

fn said() -> Option<PathBuf> {
    let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)?;
    Some(std::path::absolute(&path).unwrap_or(path))
}

fn unreadable(run: &str) -> Summary {
    Summary {
        run: run.to_owned(),
        runbook: String::new(),
        file: String::new(),
        by: None,
        host: None,
        started: Timestamp::default(),
        ended: None,
        verdict: None,
        rollback: None,
        state: RunState::Unreadable,
        duration: 0.0,
        stopped: None,
    }
}

/// Whether someone writes to it.
fn is_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = file.unlock();
            false
        }
        Err(std::fs::TryLockError::WouldBlock) => true,
        Err(std::fs::TryLockError::Error(_)) => false,
    }
}

/// Notes how many lines a record has in the end, so that it shows when some of them are cut off. Its file is made
/// beforehand, and has room: a run ends on a full disk, too.
fn sealing(folder: PrivateDir) -> Result<impl FnMut(u64, &str, bool) -> io::Result<()> + Send + 'static, Fault> {
    let mut file = folder.file(NEW_SEAL, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    if let Err(error @ (Errno::NOSPC | Errno::DQUOT)) = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 4096) {
        return Err(error.into());
    }
    Ok(move |lines, hash: &str, durable| {
        writeln!(file, "{{\"lines\":{lines},\"hash\":\"{hash}\"}}")?;
        if durable {
            file.sync_data()?;
        }
        folder.rename(NEW_SEAL, SEAL)
    })
}

/// A name that sorts by time: to the second as people read it, then two letters for the millisecond, two by chance.
fn new_id() -> String {
    // In the order of their bytes; without those that are taken for one another.
    const LETTERS: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
    let now = Timestamp::now();
    let mut hash = Sha256::new();
    hash.update(now.as_nanosecond().to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    let chance = hash.finalize();
    let millisecond = usize::try_from(now.subsec_millisecond()).unwrap_or(0);
    let letters = [millisecond / 32, millisecond % 32, usize::from(chance[0]) % 32, usize::from(chance[1]) % 32];
    let suffix: String = letters.iter().map(|at| char::from(LETTERS[at % 32])).collect();
    format!("{}-{suffix}", now.strftime("%Y%m%d-%H%M%S"))
}
