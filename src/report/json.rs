//! The events as they happen, a JSON object a line: the form for programs.

use std::io::Write;

use crate::engine::events::event::{Published, Sink};

use super::safe::safe_json;

pub struct Json<W> {
    out: W,
}

impl<W: Write + Send> Json<W> {
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

/// The events as one document: an array. For files.
pub struct JsonArray<W: Write> {
    out: W,
    begun: bool,
}

impl<W: Write + Send> JsonArray<W> {
    pub fn new(out: W) -> Self {
        Self { out, begun: false }
    }
}

impl<W: Write + Send> Sink for JsonArray<W> {
    fn take(&mut self, event: &Published) {
        if let Ok(line) = serde_json::to_string(event.get()) {
            let before = if self.begun { ",\n" } else { "[\n" };
            self.begun = true;
            let _ = write!(self.out, "{before}{}", safe_json(line));
        }
    }
}

impl<W: Write> Drop for JsonArray<W> {
    fn drop(&mut self) {
        let _ = self.out.write_all(if self.begun { b"\n]\n" } else { b"[]\n" }).and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Sink for Json<W> {
    fn take(&mut self, event: &Published) {
        // Who reads may have gone; the run goes on.
        if let Ok(line) = serde_json::to_string(event.get()) {
            let _ = self.out.write_all((safe_json(line) + "\n").as_bytes());
            let _ = self.out.flush();
        }
    }
}
