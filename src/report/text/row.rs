//! A row of evidence: an expect, and what differs.

use std::io::Write;

use crate::engine::events::event::{DiffSign, Mode, State};

use super::super::run_model::{Row, Standing};
use super::super::safe::safe;
use super::super::times::time;
use super::Writer;

impl<P: Write + Send, R: Write + Send> Writer<P, R> {
    pub(super) fn row(&mut self, row: Row<'_>) {
        let (label, result) = (row.label(), row.result);
        let standing = row.standing();
        let words = format!("{}{}", safe(&label.prefix()), safe(label.words));
        let keys = label.keys.map(|keys| format!(" {}", safe(keys))).unwrap_or_default();
        if standing == Standing::NotReached {
            return self.not_reached(&format!("{words}{keys}"));
        }
        let asked = if result.attempts > 1 || result.elapsed.0 >= 0.1 {
            let times = row.times().map(|times| format!("asked {times}, ")).unwrap_or_default();
            self.paint.dim(&format!("  {times}{}", time(result.elapsed)))
        } else {
            String::new()
        };
        let mut rests_on = String::new();
        for why in row.rests_on() {
            rests_on.push_str(&self.paint.doubtful(&format!("  {}", safe(&why))));
        }
        if let Some(shared) = row.shared() {
            rests_on.push_str(&self.paint.dim(&format!("  same request as {}", safe(shared))));
        }
        let now = if self.mode == Mode::DryRun { self.state_now(standing, result.state) } else { String::new() };
        let mark = match standing {
            Standing::Held | Standing::NotReached => self.paint.good("✓"),
            Standing::Assumed => self.paint.doubtful("✓"),
            Standing::Accepted(_) => self.paint.doubtful("~"),
            Standing::Warned(_) => self.paint.doubtful("!"),
            Standing::Unknown => self.paint.doubtful("?"),
            Standing::Undecided => self.paint.doubtful("◌"),
            Standing::Differed => self.paint.bad("✗"),
        };
        if result.state == State::Holds {
            return self.line(&format!("  {mark} {now}{words}{keys}{asked}{rests_on}"));
        }
        let undecided =
            if result.state == State::Undecided { self.paint.doubtful("  not decided") } else { String::new() };
        self.line(&format!("  {mark} {now}{}{keys}{undecided}{asked}{rests_on}", self.paint.bold(&words)));
        for line in self.found(row) {
            self.line(&line);
        }
    }

    /// What its state is called in a dry run.
    fn state_now(&self, standing: Standing, state: State) -> String {
        match state {
            _ if standing == Standing::Assumed => self.paint.doubtful("assumed    "),
            State::Holds => self.paint.dim("holds now  "),
            State::Differs => self.paint.bad("differs now "),
            State::Unknown | State::Undecided => self.paint.doubtful("unknown    "),
        }
    }

    /// What was expected, what was found, and where that stands.
    fn found(&self, row: Row<'_>) -> Vec<String> {
        let result = row.result;
        let label = |label: &str| self.paint.dim(&format!("      {label:<9}"));
        let mut lines = Vec::new();
        match result.state {
            State::Unknown => {
                lines.push(format!("{}{}", label("expected"), safe(&result.expected)));
                lines.push(format!(
                    "{}{}",
                    label("unknown"),
                    self.paint.doubtful(&safe(row.because().unwrap_or_default()))
                ));
            }
            // What was seen last is no contradiction.
            State::Undecided => {
                lines.push(format!("{}{}", label("expected"), safe(&result.expected)));
                lines.push(format!("{}{}", label("seen"), safe(&result.actual)));
            }
            _ if result.diff.is_empty() => {
                lines.push(format!("{}{}", label("expected"), self.paint.good(&safe(&result.expected))));
                lines.push(format!("{}{}", label("found"), self.paint.bad(&safe(&result.actual))));
            }
            _ => {
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
        }
        if let (true, Some(reason)) = (result.state != State::Unknown, row.because()) {
            lines.push(format!("{}{}", label("because"), safe(reason)));
        }
        if let Some(message) = &result.message {
            lines.push(format!("{}{}", label(if result.warn { "warning" } else { "means" }), safe(message)));
        }
        if let Some(risk) = row.risk() {
            lines.push(format!("{}{}", label("accepted"), self.paint.doubtful(&safe(risk))));
        }
        if row.place.file.is_some() {
            let inside = match row.inside() {
                lines if lines.is_empty() => String::new(),
                lines => format!(", inside {}", lines.iter().map(|line| safe(line)).collect::<Vec<_>>().join(", ")),
            };
            lines.push(format!("{}{}{}", label("at"), safe(&row.at()), self.paint.dim(&inside)));
        }
        lines
    }
}
