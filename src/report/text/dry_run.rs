//! What `exec` would do, what its stop conditions are now, and where it would end.

use std::io::Write;

use crate::engine::events::event::{Changes, Place, StopState};

use super::super::safe::safe;
use super::Writer;

impl<P: Write + Send, R: Write + Send> Writer<P, R> {
    /// An action that would be run; behind the last of its lines, what it changes.
    pub(super) fn planned(&mut self, place: &Place, action: &str, changes: &Changes) {
        let changes = match changes {
            Changes::Everything => String::new(),
            Changes::Keys(keys) if keys.is_empty() => "  changes nothing".to_owned(),
            Changes::Keys(keys) => format!("  changes {}", keys.join(", ")),
        };
        let last = action.lines().count().saturating_sub(1);
        for (at, line) in action.lines().enumerate() {
            let changes = if at == last { safe(&changes) } else { String::new() };
            match (place.not_reached, at) {
                (true, 0) => self.not_reached(&format!("$ {}{changes}", safe(line))),
                (true, _) => self.not_reached(&format!("  {}{changes}", safe(line))),
                (false, at) => {
                    let mark = self.paint.action(if at == 0 { "would run $" } else { "           " });
                    self.line(&format!("  {mark} {}{}", safe(line), self.paint.dim(&changes)));
                }
            }
        }
    }

    pub(super) fn confirm_planned(&mut self, place: &Place, text: &str, role: &str, answer: Option<&str>) {
        let answer = answer.map(|answer| format!("  {}", safe(answer))).unwrap_or_default();
        let what = format!("{}: {}", safe(role), safe(text));
        if place.not_reached {
            return self.not_reached(&format!("{what}{answer}"));
        }
        self.line(&format!("  {} {what}{}", self.paint.action("would ask"), self.paint.dim(&answer)));
    }

    /// What lies behind the place where the run would end.
    pub(super) fn not_reached(&mut self, what: &str) {
        self.line(&self.paint.dim(&format!("  · not reached {what}")));
    }

    pub(super) fn stop_predicted(&mut self, reason: &str, text: &str, state: StopState, actual: &str) {
        let (mark, word) = match state {
            StopState::Quiet => (self.paint.good("✓"), self.paint.dim("quiet now      ")),
            StopState::WouldStop => (self.paint.bad("✗"), self.paint.bad("would stop now ")),
            StopState::Unknown => (self.paint.doubtful("?"), self.paint.doubtful("unknown        ")),
        };
        let what = format!("stop {}: {}", crate::value::display::quoted(&safe(reason)), safe(text));
        if state == StopState::Quiet {
            return self.line(&format!("  {mark} {word}{what}"));
        }
        self.line(&format!("  {mark} {word}{}", self.paint.bold(&what)));
        let label = self.paint.dim("      found    ");
        let found = if state == StopState::Unknown {
            self.paint.doubtful(&safe(actual))
        } else {
            self.paint.bad(&safe(actual))
        };
        self.line(&format!("{label}{found}"));
    }

    pub(super) fn ends_here(&mut self, certain: bool, reason: &str, then: &[String]) {
        let text = match certain {
            true => self.paint.bad(&format!("  ■ as things stand the run would stop here: {}", safe(reason))),
            false => self.paint.doubtful(&format!("  ■ the run may stop here: {}", safe(reason))),
        };
        self.line(&text);
        if !then.is_empty() {
            let then: Vec<String> = then.iter().map(|part| safe(part)).collect();
            self.line(&self.paint.dim(&format!("      then runs: {}", then.join(", "))));
        }
    }
}
