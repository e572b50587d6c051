//! The end: the verdict of a run and of its rollback, the sum of a dry run.

use std::io::Write;

use crate::engine::events::event::{Accepted, Body, Event};

use super::super::run_model::{Decision, StatesNow, Tone, counted, undone};
use super::super::safe::safe;
use super::super::style::Paint;
use super::super::times::time;
use super::Writer;

impl<P: Write + Send, R: Write + Send> Writer<P, R> {
    pub(super) fn verdict(&mut self, event: &Event) {
        let Some(decision) = Decision::of(event) else { return };
        if !self.settings.quiet {
            self.line("");
        }
        let word = format!(" {} ", decision.word());
        let mut word = match decision.tone() {
            Tone::Bad => self.paint.bad_block(&word),
            Tone::Doubtful if decision.is_of_rollback() => self.paint.doubtful_block(&word),
            Tone::Good | Tone::Doubtful => self.paint.good_block(&word),
        };
        if decision.has_risks() {
            word = format!("{word} {}", self.paint.doubtful("with accepted risks"));
        }
        let took = time(decision.elapsed);
        let facts = match decision.is_of_rollback() {
            true => format!("{} · {took}", decision.undone_counts()),
            false => {
                let partial = decision.partial.map(|partial| format!(" · partial: {partial}")).unwrap_or_default();
                let (steps, expects) = (said_first(&decision.step_counts()), said_first(&decision.expect_counts()));
                format!("steps: {steps} · expects: {expects} · {took}{partial}")
            }
        };
        self.end(&format!("{word}  {}", self.paint.dim(&facts)));
        for reason in decision.reasons {
            let mark = if decision.tone() == Tone::Bad { self.paint.bad("✗") } else { self.paint.dim("·") };
            self.end(&format!("  {mark} {}", safe(reason)));
        }
        for how in decision.recovered {
            self.end(&format!("  {} recovered {}", self.paint.doubtful("↻"), safe(how)));
        }
        for step in decision.undone {
            let (tone, what) = undone(step);
            let mark = self.toned(tone, "◀");
            self.end(&format!("  {mark} {what} {}  {}", step.step, self.paint.dim(&time(step.elapsed))));
        }
        for Accepted { risk, expects, until, approver, reason } in decision.accepted {
            let until = until.strftime("%Y-%m-%d");
            let expects = expects.iter().map(|id| safe(id)).collect::<Vec<_>>().join(", ");
            let why = self.paint.dim(&format!("  until {until}, {}: {}", safe(approver), safe(reason)));
            self.end(&format!("  {} accepted {}: {expects}{why}", self.paint.doubtful("~"), safe(risk)));
        }
        for warning in decision.warnings {
            self.end(&format!("  {} warning {}", self.paint.doubtful("!"), safe(warning)));
        }
    }

    fn toned(&self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Good => self.paint.good(text),
            Tone::Bad => self.paint.bad(text),
            Tone::Doubtful => self.paint.doubtful(text),
        }
    }

    pub(super) fn summary(&mut self, event: &Event) {
        let Body::Summary {
            actions,
            expects,
            as_of_now,
            possibly,
            probes,
            partial,
            elapsed,
            actions_not_reached,
            ends,
        } = &event.body
        else {
            return;
        };
        self.line("");
        let mut apart = Vec::new();
        if *possibly > 0 {
            apart.push(format!("{possibly} of them only possibly"));
        }
        if *actions_not_reached > 0 {
            apart.push(format!("{actions_not_reached} more not reached"));
        }
        let apart = if apart.is_empty() { String::new() } else { format!(" ({})", apart.join(", ")) };
        let what = if *actions == 1 { "action" } else { "actions" };
        self.end(&format!("{} {actions} {what} would be run{apart}", self.paint.action("▷")));
        if let Some(ends) = ends {
            let text = format!("  ■ as things stand the run would stop: {}", safe(ends));
            self.end(&self.paint.bad(&text));
        }
        let StatesNow { always, apart } = expects.into();
        let paints: [fn(Paint, &str) -> String; 3] = [Paint::good, Paint::bad, Paint::doubtful];
        let mut counts: Vec<String> = always
            .iter()
            .zip(paints)
            .map(|((count, what), paint)| {
                let text = format!("{count} {what}");
                if *count > 0 { paint(self.paint, &text) } else { self.paint.dim(&text) }
            })
            .collect();
        let apart = apart.iter().filter(|(count, _)| *count > 0);
        counts.extend(apart.map(|(count, what)| self.paint.doubtful(&format!("{count} {what}"))));
        self.end(&format!("  {}", counts.join(", ")));
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
        for probe in std::mem::take(&mut self.probes) {
            self.end(&self.paint.dim(&format!("    {probe}")));
        }
    }
}

/// "2 passed, 1 failed": the first, and those others that there are.
fn said_first(counts: &[(u32, &'static str)]) -> String {
    let Some(((first, what), others)) = counts.split_first() else { return String::new() };
    let others = counted(others);
    if others.is_empty() { format!("{first} {what}") } else { format!("{first} {what}, {others}") }
}
