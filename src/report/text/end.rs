//! The end: the verdict of a run, the sum of a dry run.

use std::io::Write;

use crate::engine::events::event::{Accepted, Body, Event, Verdict};

use super::super::safe::safe;
use super::super::style::Paint;
use super::super::times::time;
use super::Text;

impl<P: Write + Send, R: Write + Send> Text<P, R> {
    pub(super) fn verdict(&mut self, event: &Event) {
        let Body::Verdict { verdict, reasons, steps, expects, recovered, warnings, accepted, undone, partial, elapsed } =
            &event.body
        else {
            return;
        };
        if !self.settings.quiet {
            self.line("");
        }
        let word = match verdict {
            Verdict::Go => self.paint.good_block(" GO "),
            Verdict::NoGo => self.paint.bad_block(" NO-GO "),
            Verdict::RolledBack => self.paint.bad_block(" ROLLED BACK "),
            Verdict::RollbackFailed => self.paint.bad_block(" ROLLBACK FAILED "),
        };
        let mut counts = vec![format!("{} passed", steps.passed)];
        for (count, what) in [(steps.recovered, "recovered"), (steps.failed, "failed"), (steps.skipped, "skipped")] {
            if count > 0 {
                counts.push(format!("{count} {what}"));
            }
        }
        let mut asked = vec![format!("{} held", expects.held)];
        for (count, what) in
            [(expects.differed, "differed"), (expects.unknown, "unknown"), (expects.waived, "accepted as a risk")]
        {
            if count > 0 {
                asked.push(format!("{count} {what}"));
            }
        }
        let partial = partial.as_ref().map(|partial| format!(" · partial: {partial}")).unwrap_or_default();
        let facts =
            format!("steps: {} · expects: {} · {}{partial}", counts.join(", "), asked.join(", "), time(*elapsed));
        let word = if *verdict == Verdict::Go && !accepted.is_empty() {
            format!("{word} {}", self.paint.doubtful("with accepted risks"))
        } else {
            word
        };
        self.end(&format!("{word}  {}", self.paint.dim(&facts)));
        for reason in reasons {
            self.end(&format!("  {} {}", self.paint.bad("✗"), safe(reason)));
        }
        for told in recovered {
            self.end(&format!("  {} recovered {}", self.paint.doubtful("↻"), safe(told)));
        }
        for undone in undone {
            let (mark, what) = match (undone.ok, &undone.reason) {
                (true, None) => (self.paint.good("◀"), "undone"),
                (true, Some(_)) => (self.paint.doubtful("◀"), "undone late"),
                (false, _) => (self.paint.bad("◀"), "not undone"),
            };
            self.end(&format!("  {mark} {what} {}  {}", undone.step, self.paint.dim(&time(undone.elapsed))));
        }
        for Accepted { risk, expects, until, approver, reason } in accepted {
            let until = until.strftime("%Y-%m-%d");
            let told = format!(
                "accepted {}: {}",
                safe(risk),
                expects.iter().map(|id| safe(id)).collect::<Vec<_>>().join(", ")
            );
            let why = self.paint.dim(&format!("  until {until}, {}: {}", safe(approver), safe(reason)));
            self.end(&format!("  {} {told}{why}", self.paint.doubtful("~")));
        }
        for warning in warnings {
            self.end(&format!("  {} warning {}", self.paint.doubtful("!"), safe(warning)));
        }
    }

    pub(super) fn summary(&mut self, event: &Event) {
        let Body::Summary { actions, expects, as_of_now, possibly: possible, probes, partial, elapsed, .. } =
            &event.body
        else {
            return;
        };
        self.line("");
        let possible = if *possible > 0 { format!(" ({possible} of them only possibly)") } else { String::new() };
        let what = if *actions == 1 { "action" } else { "actions" };
        self.end(&format!("{} {actions} {what} would be run{possible}", self.paint.action("▷")));
        let part = |count: u32, what: &str, paint: fn(Paint, &str) -> String| {
            let text = format!("{count} {what}");
            if count > 0 { paint(self.paint, &text) } else { self.paint.dim(&text) }
        };
        let text = format!(
            "  {}, {}, {}",
            part(expects.holds, "hold now", Paint::good),
            part(expects.differs, "differ now", Paint::bad),
            part(expects.unknown, "unknown", Paint::doubtful)
        );
        self.end(&text);
        if *as_of_now > 0 {
            let verb = if *as_of_now == 1 { "is" } else { "are" };
            let text =
                format!("  {as_of_now} of these {verb} as of now: an action before them may change what they ask");
            self.end(&self.paint.doubtful(&text));
        }
        if let Some(partial) = partial {
            self.end(&self.paint.doubtful(&format!("  partial: {partial}")));
        }
        let text = format!(
            "  {probes} probe{} made, nothing changed · {}",
            if *probes == 1 { "" } else { "s" },
            time(*elapsed)
        );
        self.end(&self.paint.dim(&text));
        if self.settings.verbose {
            for probe in std::mem::take(&mut self.probes) {
                self.end(&self.paint.dim(&format!("    {probe}")));
            }
        }
    }
}
