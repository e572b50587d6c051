//! A row of evidence: an expect, and what differs.

use std::io::Write;

use crate::engine::events::event::{DiffSign, ExpectResult, Mode, Place, State};

use super::super::called::Called;
use super::super::safe::safe;
use super::super::times::time;
use super::Text;

impl<P: Write + Send, R: Write + Send> Text<P, R> {
    pub(super) fn expect(&mut self, place: &Place, result: &ExpectResult) {
        let dry = self.mode == Mode::DryRun;
        let line = place.line.unwrap_or_default();
        let called = Called::of(place, result);
        let told = safe(called.words);
        let name = called.name.map(|name| format!("{}: ", safe(name))).unwrap_or_default();
        let subject = called.keys.map(|keys| format!(" {}", safe(keys))).unwrap_or_default();
        let asked = if result.attempts > 1 || result.elapsed.0 >= 0.1 {
            let times = if result.attempts > 1 { format!("asked {} times, ", result.attempts) } else { String::new() };
            self.paint.dim(&format!("  {times}{}", time(result.elapsed)))
        } else {
            String::new()
        };
        let as_of_now = result
            .as_of_now
            .as_deref()
            .map(|why| self.paint.doubtful(&format!("  as of now; {why}")))
            .unwrap_or_default();
        match result.state {
            State::Holds => {
                let now = if dry { self.paint.dim("holds now  ") } else { String::new() };
                self.line(&format!("  {} {now}{name}{told}{subject}{asked}{as_of_now}", self.paint.good("✓")));
            }
            State::Differs | State::Unknown | State::Undecided => {
                let unknown = result.state == State::Unknown;
                let mark = match (unknown, result.warn) {
                    _ if result.waived => self.paint.doubtful("~"),
                    (_, true) => self.paint.doubtful("!"),
                    (true, _) => self.paint.doubtful("?"),
                    (false, _) => self.paint.bad("✗"),
                };
                let now = match (dry, unknown) {
                    (true, true) => self.paint.doubtful("unknown    "),
                    (true, false) => self.paint.bad("differs now "),
                    _ => String::new(),
                };
                self.line(&format!(
                    "  {mark} {now}{}{subject}{asked}{as_of_now}",
                    self.paint.bold(&format!("{name}{told}"))
                ));
                let label = |label: &str| self.paint.dim(&format!("      {label:<9}"));
                let mut lines = Vec::new();
                if unknown {
                    lines.push(format!("{}{}", label("expected"), safe(&result.expected)));
                    let reason = result.reason.as_deref().unwrap_or(&result.actual);
                    lines.push(format!("{}{}", label("unknown"), self.paint.doubtful(&safe(reason))));
                } else if result.diff.is_empty() {
                    lines.push(format!("{}{}", label("expected"), self.paint.good(&safe(&result.expected))));
                    lines.push(format!("{}{}", label("found"), self.paint.bad(&safe(&result.actual))));
                } else {
                    lines.push(self.paint.dim("      - expected   + found"));
                    for line in &result.diff {
                        let text = safe(&line.text);
                        lines.push(match line.sign {
                            DiffSign::Expected => self.paint.good(&format!("      - {text}")),
                            DiffSign::Actual => self.paint.bad(&format!("      + {text}")),
                            DiffSign::Both => self.paint.dim(&format!("        {text}")),
                            DiffSign::Skip => self.paint.dim(&format!("      … {text}")),
                        });
                    }
                }
                if let (false, Some(reason)) = (unknown, &result.reason) {
                    lines.push(format!("{}{}", label("because"), safe(reason)));
                }
                if let Some(message) = &result.message {
                    lines.push(format!("{}{}", label(if result.warn { "warning" } else { "means" }), safe(message)));
                }
                if let (true, Some(risk)) = (result.waived, &result.risk) {
                    lines.push(format!("{}{}", label("accepted"), self.paint.doubtful(&safe(risk))));
                }
                if let Some(file) = &place.file {
                    let via: Vec<&str> = result.via.iter().map(|place| short(place, file)).collect();
                    let via = if via.is_empty() { String::new() } else { format!(", asked at {}", via.join(", ")) };
                    lines.push(format!("{}{file}:{line}{}", label("at"), self.paint.dim(&via)));
                }
                for line in lines {
                    self.line(&line);
                }
            }
        }
    }
}

/// A place without its folder, where it is the folder of the file that was just named.
fn short<'p>(place: &'p str, beside: &str) -> &'p str {
    match beside.rsplit_once('/') {
        Some((folder, _)) => place.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or(place),
        None => place,
    }
}
