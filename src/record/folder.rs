//! The state folder: `$RUNBOOK_STATE`, else `.runbook` in the project's root; in it a folder a run.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::check::library::hex;
use crate::check::program::Program;
use crate::engine::own_sources;

use super::journal::{self, Broken, Journal};
use super::lock::{Held, private_folder};
use super::{Begun, Record, Replay, RunState, Store, Summary, plain};

const JOURNAL: &str = "journal.jsonl";
const SEAL: &str = "seal.json";
const SOURCES: &str = "sources";

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
    pub fn nearest() -> Result<Self, String> {
        if let Some(path) = said() {
            return Ok(Self::at(path));
        }
        let here = std::env::current_dir().map_err(|error| format!("there is no folder here: {}", plain(&error)))?;
        let found = here.ancestors().map(|folder| folder.join(".runbook")).find(|path| path.join("runs").is_dir());
        found.map(Self::at).ok_or_else(|| {
            format!(
                "no run is recorded in `{}` or above; runs are recorded in `.runbook` in their project's root, or in \
                 `$RUNBOOK_STATE`",
                here.display()
            )
        })
    }

    pub fn at(path: PathBuf) -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let shown = path.strip_prefix(&here).unwrap_or(&path).display().to_string();
        Self { path, shown }
    }

    fn runs_folder(&self) -> PathBuf {
        self.path.join("runs")
    }

    fn run_folder(&self, run: &str) -> PathBuf {
        self.runs_folder().join(run)
    }

    fn can_not(&self, what: &str, error: &std::io::Error) -> String {
        format!("the state folder `{}` can't be {what}: {}", self.shown, plain(error))
    }

    fn make(&self) -> std::io::Result<()> {
        let new = !self.path.exists();
        private_folder(&self.runs_folder())?;
        // What is recorded is no part of the project.
        if new {
            private_file(&self.path.join(".gitignore"))?.write_all(b"*\n")?;
        }
        Ok(())
    }

    fn begin_with(&self, program: &Program) -> std::io::Result<Begun> {
        self.make()?;
        let (run, folder) = loop {
            let run = new_id();
            let folder = self.run_folder(&run);
            match std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder) {
                Ok(()) => break (run, folder),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let made = || {
            let sources = folder.join(SOURCES);
            private_folder(&sources)?;
            let mut beside = Vec::new();
            for (source, kept) in own_sources(program) {
                let path = sources.join(&kept.hash);
                if !path.exists() {
                    let mut file = private_file(&path)?;
                    file.write_all(source.text.as_bytes())?;
                    beside.push(file);
                }
            }
            for folder in [&sources, &folder, &self.runs_folder()] {
                beside.push(File::open(folder)?);
            }
            let file = private_file(&folder.join(JOURNAL))?;
            file.lock()?;
            let held = Held::new(file.try_clone()?);
            let journal = Journal::new(file, 0, String::new(), beside, seal(folder.clone()));
            Ok(Begun { run: run.clone(), ledger: Box::new(journal), held, torn: None, lines: 0 })
        };
        // A run that can't be recorded leaves nothing behind.
        made().inspect_err(|_: &std::io::Error| drop(std::fs::remove_dir_all(&folder)))
    }

    fn journal_bytes(&self, run: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.run_folder(run).join(JOURNAL))
            .map_err(|error| format!("the record of run {run} can't be read: {}", plain(&error)))
    }

    fn seal_of(&self, run: &str) -> Option<(u64, String)> {
        let text = std::fs::read_to_string(self.run_folder(run).join(SEAL)).ok()?;
        let json: Json = serde_json::from_str(&text).ok()?;
        Some((json["lines"].as_u64()?, json["hash"].as_str()?.to_owned()))
    }

    fn summary(&self, run: &str) -> Option<Summary> {
        let mut file = File::open(self.run_folder(run).join(JOURNAL)).ok()?;
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
        let mut verdict = None;
        // From the end back, until it is known where it stopped.
        for (nth, line) in end.rsplit(|byte| *byte == b'\n').enumerate() {
            let Ok(event) = serde_json::from_slice::<Json>(line) else { continue };
            if nth <= 1 {
                last = time(&event).unwrap_or(last);
                if event["type"] == "verdict" {
                    verdict = serde_json::from_value(event["verdict"].clone()).ok();
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
            state,
            duration: (last.duration_since(started).as_millis() as f64 / 1000.0).max(0.0),
            stopped,
        })
    }

    fn ids(&self) -> Result<Vec<String>, String> {
        let entries = match std::fs::read_dir(self.runs_folder()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.can_not("read", &error)),
        };
        let names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
        let mut ids: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        ids.sort_by(|a, b| b.cmp(a));
        Ok(ids)
    }
}

impl Store for Folder {
    fn begin(&self, program: &Program) -> Result<Begun, String> {
        self.begin_with(program).map_err(|error| {
            let why = self.can_not("written", &error);
            format!("{why}; nothing was run, since nothing could be recorded (`RUNBOOK_STATE` names another folder)")
        })
    }

    fn take_up(&self, run: &str) -> Result<Begun, String> {
        let path = self.run_folder(run).join(JOURNAL);
        let can_not = |error: std::io::Error| format!("the record of run {run} can't be written: {}", plain(&error));
        let file = OpenOptions::new().read(true).append(true).open(&path).map_err(can_not)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(format!("run {run} is being carried out right now"));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(can_not(error)),
        }
        let read = journal::read(&self.journal_bytes(run)?)?;
        if let Some(Broken { line, why }) = read.broken {
            return Err(format!(
                "the record of run {run} was changed: line {line}: {why}; it can't be gone on from what may not be true"
            ));
        }
        if read.torn.is_some() {
            file.set_len(read.whole).map_err(can_not)?;
        }
        let held = Held::new(file.try_clone().map_err(can_not)?);
        let journal = Journal::new(file, read.lines, read.hash, Vec::new(), seal(self.run_folder(run)));
        Ok(Begun { run: run.to_owned(), ledger: Box::new(journal), held, torn: read.torn, lines: read.lines })
    }

    fn runs(&self) -> Result<Vec<Summary>, String> {
        let ids = self.ids()?;
        Ok(ids.iter().map(|run| self.summary(run).unwrap_or_else(|| unreadable(run))).collect())
    }

    fn find(&self, name: &str) -> Result<String, String> {
        let ids = self.ids()?;
        if ids.is_empty() {
            return Err(format!("no run is recorded in `{}`", self.shown));
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
            [] => Err(format!("there is no run `{name}` in `{}`; `runbook runs` lists them", self.shown)),
            several => {
                let several: Vec<&str> = several.iter().take(5).map(|run| run.as_str()).collect();
                Err(format!("`{name}` may be {}", several.join(" or ")))
            }
        }
    }

    fn read(&self, run: &str) -> Result<Record, String> {
        let bytes = self.journal_bytes(run)?;
        let running = File::open(self.run_folder(run).join(JOURNAL)).is_ok_and(|file| is_locked(&file));
        if let Some(first) = bytes.split(|byte| *byte == b'\n').next() {
            journal::newer(first)?;
        }
        let mut read = journal::read(&bytes)?;
        // What is being written may be seen before its end.
        let torn = read.torn.filter(|_| !running);
        if let (None, None, Some((lines, hash))) = (&read.broken, torn, self.seal_of(run))
            && (read.lines < lines || read.lines == lines && read.hash != hash)
        {
            let why = format!("the record had {lines} lines when the run ended, and has {}", read.lines);
            read.broken = Some(Broken { line: read.lines.min(lines) + 1, why });
        }
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
        Replay::of(self.run_folder(run).join(JOURNAL))
    }

    fn source(&self, run: &str, hash: &str) -> Result<Vec<u8>, String> {
        let bytes = std::fs::read(self.run_folder(run).join(SOURCES).join(hash))
            .map_err(|error| format!("a file that run {run} was read from is missing: {}", plain(&error)))?;
        match hex(&Sha256::digest(&bytes)) == hash {
            true => Ok(bytes),
            false => Err(format!("a file that run {run} was read from was changed (sources/{hash})")),
        }
    }
}

fn said() -> Option<PathBuf> {
    let path = std::env::var_os("RUNBOOK_STATE").filter(|path| !path.is_empty()).map(PathBuf::from)?;
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

fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).open(path)
}

/// Notes how many lines a record has in the end, so that it shows when some of them are cut off.
fn seal(folder: PathBuf) -> impl FnMut(u64, &str) -> std::io::Result<()> + Send + 'static {
    move |lines, hash| {
        let path = folder.join(SEAL);
        let new = folder.join("seal.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{{\"lines\":{lines},\"hash\":\"{hash}\"}}")?;
        std::fs::rename(new, path)
    }
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
