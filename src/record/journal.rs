//! The journal: a JSON object a line, each with the hash of itself and the one before it.
//!
//! A line is an event as it was published, and `"chain"`: SHA-256 (hexadecimal) of the hash of the line before it (of
//! nothing, for the first) and the event's own bytes. What is changed, cut out or put in shows at its line. It has no
//! key: who can write the file can write another. A last line without its end is a loss of power, and left out.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::check::library::hex;
use crate::engine::events::event::{Body, FORMAT, Ledger, LedgerError, Published};

use super::error::{ChainError, ChainFault, NewerFormat};
use super::room::Room;

const HASH: &str = ",\"chain\":\"";

/// From `,"chain":"` to the end of the object.
const TAIL: usize = HASH.len() + 64 + 2;

/// How much waits to be written with what follows.
const MOST_PENDING: usize = 64 * 1024;

/// Keeps how many lines there are in the end, and the hash of the last; whether that has to outlive a loss of power.
type Sealing = dyn FnMut(u64, &str, bool) -> io::Result<()> + Send;

/// How many events of a run its journal had no room for, known when it is closed. Clones are the same numbers.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// What passes: lines that commands print, attempts of expects.
    passing: Arc<AtomicU64>,
    /// All else: what a run is resumed, rolled back and reported from.
    lost: Arc<AtomicU64>,
}

impl LeftOut {
    pub fn passing(&self) -> u64 {
        self.passing.load(Ordering::Relaxed)
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Writes a journal.
pub struct Journal {
    file: File,
    hash: String,
    lines: u64,
    /// How long the file is, and how much of that is a line that is not whole.
    end: u64,
    torn: u64,
    room: Room,
    /// There is no room but what is kept for the end of the run.
    full: bool,
    left_out: LeftOut,
    /// What could not be written yet: it goes before all that follows.
    pending: Vec<u8>,
    pending_lines: u64,
    dirty: bool,
    /// What was written so far has to outlive a loss of power.
    synced: bool,
    /// What has to be on disk with the first line: the folder, the runbook.
    beside: Vec<File>,
    seal: Box<Sealing>,
}

impl Journal {
    /// Goes on behind `lines` lines, the last of which has this hash. `seal` keeps how many there are in the end.
    pub fn new(
        file: File,
        lines: u64,
        hash: String,
        beside: Vec<File>,
        seal: impl FnMut(u64, &str, bool) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let end = file.metadata()?.len();
        Ok(Self {
            room: Room::keep(&file, end)?,
            file,
            hash,
            lines,
            end,
            torn: 0,
            full: false,
            left_out: LeftOut::default(),
            pending: Vec::new(),
            pending_lines: 0,
            dirty: false,
            synced: false,
            beside,
            seal: Box::new(seal),
        })
    }

    /// How many events it had no room for, when it is closed.
    pub fn left_out(&self) -> LeftOut {
        self.left_out.clone()
    }

    /// Writes what waits. `Err`: it does not fit, or fits only into what is kept for the end of the run.
    fn write_pending(&mut self) -> io::Result<()> {
        let room = match self.full {
            true => Ok(()),
            false => self.room.up_to(&self.file, self.end + self.pending.len() as u64),
        };
        self.full |= room.is_err();
        while !self.pending.is_empty() {
            match self.file.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    for byte in self.pending.drain(..count) {
                        self.torn += 1;
                        if byte == b'\n' {
                            self.torn = 0;
                            self.pending_lines -= 1;
                        }
                    }
                    self.end += count as u64;
                    self.dirty = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.full = true;
                    return Err(error);
                }
            }
        }
        room
    }

    fn sync(&mut self) -> io::Result<()> {
        self.write_pending()?;
        for file in &self.beside {
            file.sync_all()?;
        }
        self.beside.clear();
        if self.dirty {
            self.file.sync_data()?;
            self.dirty = false;
        }
        self.synced = true;
        Ok(())
    }
}

impl Ledger for Journal {
    fn append(&mut self, event: &Published) -> Result<(), LedgerError> {
        if self.full && is_passing(&event.get().body) {
            let lines = match &event.get().body {
                Body::Output { text, .. } => text.lines().count().max(1),
                _ => 1,
            };
            self.left_out.passing.fetch_add(lines as u64, Ordering::Relaxed);
            return Ok(());
        }
        let body = serde_json::to_vec(event.get())?;
        self.hash = chained(&self.hash, &body);
        self.pending.extend_from_slice(&body[..body.len() - 1]);
        self.pending.extend_from_slice(HASH.as_bytes());
        self.pending.extend_from_slice(self.hash.as_bytes());
        self.pending.extend_from_slice(b"\"}\n");
        self.pending_lines += 1;
        self.lines += 1;
        // Between two steps nothing waits for long: one write for both ends.
        if matches!(event.get().body, Body::StepEnded { .. }) && self.pending.len() < MOST_PENDING {
            return Ok(());
        }
        self.write_pending()?;
        if let Body::Verdict { rolls_back: false, .. } = &event.get().body {
            // No seal is on disk before what it seals.
            if self.synced {
                self.commit()?;
            }
            (self.seal)(self.lines, &self.hash, self.synced)?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        Ok(self.sync()?)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.write_pending();
        self.left_out.lost.fetch_add(self.pending_lines, Ordering::Relaxed);
        if self.torn > 0 {
            let _ = self.file.set_len(self.end - self.torn);
        }
        self.room.give_back(&self.file);
    }
}

/// What is told as it passes, and what a run can be resumed, rolled back and reported without: the little room that is
/// kept for the end of a run is not for it.
fn is_passing(body: &Body) -> bool {
    matches!(body, Body::Output { .. } | Body::OutputLeftOut { .. } | Body::ExpectAsked { .. } | Body::Probed { .. })
}

fn chained(before: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(before.as_bytes());
    hash.update(body);
    hex(&hash.finalize())
}

/// A journal, read.
#[derive(Default)]
pub struct Lines {
    pub events: Vec<Published>,
    pub torn: Option<u64>,
    pub broken: Option<ChainError>,
    pub lines: u64,
    pub hash: String,
    /// How many bytes the whole lines are.
    pub whole: u64,
    /// The hash of the line that is the last one by the seal.
    sealed: Option<String>,
}

/// What a journal was when its run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// The run has not ended; or its seal was lost with the power, as long as nothing was done in it.
    None,
    /// It can't be read: it was changed.
    Unreadable,
    Of {
        lines: u64,
        hash: String,
    },
}

impl Seal {
    /// Reads `seal.json`.
    pub fn of(text: &[u8]) -> Self {
        if text.is_empty() {
            return Self::None;
        }
        let json: Option<serde_json::Value> = serde_json::from_slice(text).ok();
        let field = |name: &str| json.as_ref().and_then(|json| json.get(name));
        match (field("lines").and_then(|lines| lines.as_u64()), field("hash").and_then(|hash| hash.as_str())) {
            (Some(lines), Some(hash)) => Self::Of { lines, hash: hash.to_owned() },
            _ => Self::Unreadable,
        }
    }
}

/// Reads a journal, and checks its chain and that it is what was sealed. Lines that can't be read are left out, and the
/// first of them named. A journal that was sealed is longer than its seal says where the run was undone afterwards; it is
/// never shorter, and so what is torn before that was cut off, and not by a loss of power.
pub fn read_sealed(bytes: &[u8], seal: &Seal) -> Result<Lines, NewerFormat> {
    let last = if let Seal::Of { lines, .. } = seal { *lines } else { 0 };
    let mut read = read_noting(bytes, last)?;
    let found = read.lines;
    let chain = match seal {
        Seal::None => None,
        Seal::Unreadable => Some(ChainError { line: 1, fault: ChainFault::SealUnreadable }),
        Seal::Of { lines, .. } if found < *lines => {
            Some(ChainError { line: found + 1, fault: ChainFault::CutOff { sealed: *lines, found } })
        }
        Seal::Of { lines, hash } if read.sealed.as_ref() != Some(hash) => {
            Some(ChainError { line: *lines, fault: ChainFault::NotTheLast })
        }
        Seal::Of { .. } => None,
    };
    if let Some(chain) = chain {
        read.broken.get_or_insert(chain);
        read.torn = None;
    }
    Ok(read)
}

/// The same of a journal that has no seal.
pub fn read(bytes: &[u8]) -> Result<Lines, NewerFormat> {
    read_noting(bytes, 0)
}

fn read_noting(bytes: &[u8], last: u64) -> Result<Lines, NewerFormat> {
    let mut out = Lines::default();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        out.lines += 1;
        out.whole += end as u64 + 1;
        match event_of(line, &out.hash) {
            Ok((body, hash)) => {
                out.hash = hash;
                out.take(&body)?;
            }
            Err((fault, hash)) => {
                out.broken.get_or_insert(ChainError { line: out.lines, fault });
                if let Some(body) = body_of(line) {
                    out.take(&body)?;
                }
                out.hash = hash.unwrap_or_default();
            }
        }
        if out.lines == last {
            out.sealed = Some(out.hash.clone());
        }
    }
    out.torn = (!rest.is_empty()).then_some(rest.len() as u64);
    Ok(out)
}

impl Lines {
    fn take(&mut self, body: &[u8]) -> Result<(), NewerFormat> {
        let event = std::str::from_utf8(body).ok().and_then(|body| Published::read(body).ok());
        match event {
            Some(event) => {
                self.events.push(event);
                Ok(())
            }
            None => {
                newer(body)?;
                self.broken.get_or_insert(ChainError { line: self.lines, fault: ChainFault::NotAnEvent });
                Ok(())
            }
        }
    }
}

/// Refuses what a newer program wrote.
pub fn newer(line: &[u8]) -> Result<(), NewerFormat> {
    let json: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    let field = |name: &str| json.as_ref().and_then(|json| json.get(name));
    match field("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format > u64::from(FORMAT) => {
            let program = field("program").and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
            Err(NewerFormat { format, program })
        }
        _ => Ok(()),
    }
}

/// The event of a line, as it was published.
pub fn body_of(line: &[u8]) -> Option<Vec<u8>> {
    let at = line.len().checked_sub(TAIL)?;
    let (body, tail) = line.split_at(at);
    (tail.starts_with(HASH.as_bytes()) && tail.ends_with(b"\"}")).then(|| [body, b"}"].concat())
}

/// The event and the hash of a line; else what is wrong with it, and the hash that it says it has.
type Chained = Result<(Vec<u8>, String), (ChainFault, Option<String>)>;

fn event_of(line: &[u8], before: &str) -> Chained {
    let body = body_of(line).ok_or((ChainFault::NotALine, None))?;
    let hash = &line[line.len() - 66..line.len() - 2];
    let hash = std::str::from_utf8(hash).map_err(|_| (ChainFault::HashUnreadable, None))?;
    if chained(before, &body) != hash {
        return Err((ChainFault::Changed, Some(hash.to_owned())));
    }
    Ok((body, hash.to_owned()))
}
