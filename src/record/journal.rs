//! The journal: a JSON object a line, each with the hash of itself and the one before it.
//!
//! A line is an event as it was published, and `"chain"`: SHA-256 (hexadecimal) of the hash of the line before it (of
//! nothing, for the first) and the event's own bytes. What is changed, cut out or put in shows at its line. It has no
//! key: who can write the file can write another. A last line without its end is a loss of power, and left out.

use std::fs::File;
use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::check::library::hex;
use crate::engine::event::{Body, FORMAT, Ledger, Published};

use super::plain;

const HASH: &str = ",\"chain\":\"";

/// From `,"chain":"` to the end of the object.
const TAIL: usize = HASH.len() + 64 + 2;

/// How much waits to be written with what follows.
const MOST_PENDING: usize = 64 * 1024;

/// A line that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Counts from 1.
    pub line: u64,
    pub why: String,
}

/// Keeps how many lines there are in the end, and the hash of the last.
type Seal = dyn FnMut(u64, &str) -> io::Result<()> + Send;

/// Writes a journal.
pub struct Journal {
    file: File,
    hash: String,
    lines: u64,
    /// What could not be written yet: it goes before all that follows.
    pending: Vec<u8>,
    dirty: bool,
    /// What has to be on disk with the first line: the folder, the runbook.
    beside: Vec<File>,
    seal: Box<Seal>,
}

impl Journal {
    /// Goes on behind `lines` lines, the last of which has this hash. `seal` keeps how many there are in the end.
    pub fn new(
        file: File,
        lines: u64,
        hash: String,
        beside: Vec<File>,
        seal: impl FnMut(u64, &str) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self { file, hash, lines, pending: Vec::new(), dirty: false, beside, seal: Box::new(seal) }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.file.write(&self.pending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.pending.drain(..count);
                    self.dirty = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
        Ok(())
    }
}

impl Ledger for Journal {
    fn append(&mut self, event: &Published) -> Result<(), String> {
        let body = serde_json::to_vec(event.get()).map_err(|error| error.to_string())?;
        self.hash = chained(&self.hash, &body);
        self.pending.extend_from_slice(&body[..body.len() - 1]);
        self.pending.extend_from_slice(HASH.as_bytes());
        self.pending.extend_from_slice(self.hash.as_bytes());
        self.pending.extend_from_slice(b"\"}\n");
        self.lines += 1;
        // Between two steps nothing waits for long: one write for both ends.
        if matches!(event.get().body, Body::StepEnded { .. }) && self.pending.len() < MOST_PENDING {
            return Ok(());
        }
        self.write_pending().map_err(|error| plain(&error))?;
        if let Body::Verdict { .. } = &event.get().body {
            (self.seal)(self.lines, &self.hash).map_err(|error| plain(&error))?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), String> {
        self.sync().map_err(|error| plain(&error))
    }
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
    pub broken: Option<Broken>,
    pub lines: u64,
    pub hash: String,
    /// How many bytes the whole lines are.
    pub whole: u64,
}

/// Reads a journal, and checks its chain. Lines that can't be read are left out, and the first of them named.
pub fn read(bytes: &[u8]) -> Result<Lines, String> {
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
            Err((why, hash)) => {
                out.broken.get_or_insert(Broken { line: out.lines, why: why.to_owned() });
                if let Some(body) = body_of(line) {
                    out.take(&body)?;
                }
                out.hash = hash.unwrap_or_default();
            }
        }
    }
    out.torn = (!rest.is_empty()).then_some(rest.len() as u64);
    Ok(out)
}

impl Lines {
    fn take(&mut self, body: &[u8]) -> Result<(), String> {
        let event = std::str::from_utf8(body).ok().and_then(|body| Published::read(body).ok());
        match event {
            Some(event) => {
                self.events.push(event);
                Ok(())
            }
            None => {
                newer(body)?;
                let why = "it is no event that this program knows".to_owned();
                self.broken.get_or_insert(Broken { line: self.lines, why });
                Ok(())
            }
        }
    }
}

/// Refuses what a newer program wrote.
pub fn newer(line: &[u8]) -> Result<(), String> {
    let json: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    let field = |name: &str| json.as_ref().and_then(|json| json.get(name));
    match field("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format > u64::from(FORMAT) => {
            let by = field("program").and_then(serde_json::Value::as_str).unwrap_or("?");
            Err(format!(
                "the record has format {format}, of runbook {by}; this is runbook {}, which reads format {FORMAT}: use \
                 the newer one",
                env!("CARGO_PKG_VERSION")
            ))
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

#[allow(clippy::type_complexity)]
fn event_of(line: &[u8], before: &str) -> Result<(Vec<u8>, String), (&'static str, Option<String>)> {
    let body = body_of(line).ok_or(("it is not a line of a journal", None))?;
    let hash = &line[line.len() - 66..line.len() - 2];
    let hash = std::str::from_utf8(hash).map_err(|_| ("its hash can't be read", None))?;
    if chained(before, &body) != hash {
        return Err(("it is not what was written there, or a line before it is gone", Some(hash.to_owned())));
    }
    Ok((body, hash.to_owned()))
}
