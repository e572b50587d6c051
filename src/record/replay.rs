//! Reading a journal while it is written: for who could not take its events as they happened.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};

use crate::engine::events::event::Published;

use super::journal::body_of;

/// Reads a journal from its beginning, as far as it is written.
pub struct Replay {
    /// None where it can't be opened.
    file: Option<BufReader<File>>,
    /// Behind the last whole line that was read.
    at: u64,
}

impl Replay {
    pub(super) fn of(file: Option<File>) -> Self {
        Self { file: file.map(BufReader::new), at: 0 }
    }

    /// The next event; none where no more is written yet, or it can't be read.
    pub fn next_event(&mut self) -> Option<Published> {
        let file = self.file.as_mut()?;
        let mut line = Vec::new();
        let read = file.read_until(b'\n', &mut line);
        if !read.is_ok_and(|count| count > 0) || line.pop() != Some(b'\n') {
            // What is being written is read again from its beginning.
            file.seek(SeekFrom::Start(self.at)).ok()?;
            return None;
        }
        self.at += line.len() as u64 + 1;
        let body = String::from_utf8(body_of(&line)?).ok()?;
        Published::read(&body).ok()
    }
}
