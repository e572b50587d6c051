//! What was checked before the first action: a line where all is ready, each refusal with its reason where not.

use std::io::Write;

use crate::engine::events::event::CheckState;

use super::super::run_model::{Preflight, finding, subject};
use super::super::safe::safe;
use super::Writer;

impl<P: Write + Send, R: Write + Send> Writer<P, R> {
    pub(super) fn preflight(&mut self, preflight: &Preflight) {
        let (mark, sum) = match preflight.ok {
            true => (self.paint.good("✓"), self.paint.dim(&preflight.sum())),
            false => (self.paint.bad("✗"), self.paint.bad(&preflight.sum())),
        };
        self.line("");
        self.line(&format!("{mark} {}  {sum}", self.paint.bold("preflight")));
        for check in preflight.notable() {
            let (subject, finding) = (safe(&subject(check)), safe(&finding(check)));
            let line = match check.state {
                CheckState::Refused => format!("  {} {subject}  {}", self.paint.bad("✗"), self.paint.bad(&finding)),
                CheckState::IfReached => format!("  {} {subject}  {finding}", self.paint.doubtful("?")),
                _ => self.paint.dim(&format!("  · {subject}  {finding}")),
            };
            self.line(&line);
        }
    }
}
