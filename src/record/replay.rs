//! Reading a journal while it is written: for who could not take its events as they happened.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::PathBuf;

use crate::engine::event::Published;

use super::journal::body_of;

/// Reads a journal from its beginning, as far as it is written.
pub struct Replay {
    path: PathBuf,
    /// Behind the last whole line that was read.
    at: u64,
    file: Option<BufReader<File>>,
}

impl Replay {
    pub(super) fn of(path: PathBuf) -> Self {
        Self { path, at: 0, file: None }
    }

    /// The next event; none where no more is written yet, or it can't be read.
    pub fn next(&mut self) -> Option<Published> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = BufReader::new(File::open(&self.path).ok()?);
                file.seek(std::io::SeekFrom::Start(self.at)).ok()?;
                self.file.insert(file)
            }
        };
        let mut line = Vec::new();
        let read = file.read_until(b'\n', &mut line);
        if !read.is_ok_and(|count| count > 0) || line.pop() != Some(b'\n') {
            // What is being written is read again from its beginning.
            self.file = None;
            return None;
        }
        self.at += line.len() as u64 + 1;
        let body = String::from_utf8(body_of(&line)?).ok()?;
        Published::read(&body).ok()
    }
}
