//! The events as they happen, a JSON object a line: the form for programs.

use std::io::Write;

use crate::engine::event::{Published, Sink};

use super::safe::safe_json;

pub struct Json<W> {
    out: W,
}

impl<W: Write + Send> Json<W> {
    pub fn new(out: W) -> Self {
        Self { out }
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
