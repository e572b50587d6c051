//! A run as a person reads it: plain lines, in colour where that is wanted. What a server or command says is made harmless
//! first.

use std::io::Write;
use std::time::Duration;

use crate::engine::event::{
    Accepted, Body, Changes, DiffSign, Event, ExpectResult, Mode, Part, Place, Published, Resumed, Seconds, Sink,
    State, StepOutcome, Verdict,
};
use crate::engine::world::Stream;

use super::called::Called;
use super::fold::{Fold, Kept};
use super::safe::safe;
use super::style::Paint;

/// What a text form is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub colour: bool,
    /// Only the end is told.
    pub quiet: bool,
    /// Bindings, conditions and probes are told, too.
    pub verbose: bool,
}

/// Writes the course of a run to `progress`, and its result to `result`.
pub struct Text<P, R> {
    progress: P,
    result: R,
    settings: Settings,
    paint: Paint,
    mode: Mode,
    last_possible: Option<String>,
    last_part: Option<Part>,
    last_checklist: Option<String>,
    probes: Vec<String>,
    fold: Fold,
    /// An action is being carried out.
    acting: bool,
}

impl<P: Write + Send, R: Write + Send> Text<P, R> {
    pub fn new(progress: P, result: R, settings: Settings) -> Self {
        Self {
            progress,
            result,
            settings,
            paint: Paint { on: settings.colour },
            mode: Mode::Exec,
            last_possible: None,
            last_part: None,
            last_checklist: None,
            probes: Vec::new(),
            fold: Fold::default(),
            acting: false,
        }
    }

    fn line(&mut self, text: &str) {
        let out: &mut dyn Write = match self.mode {
            Mode::Exec => &mut self.progress,
            // The plan is the result.
            Mode::DryRun => &mut self.result,
        };
        if !(self.settings.quiet && self.mode == Mode::Exec) {
            // One write a line: what others print stays between the lines.
            let _ = out.write_all(format!("{text}\n").as_bytes());
            let _ = out.flush();
        }
    }

    fn end(&mut self, text: &str) {
        let _ = self.result.write_all(format!("{text}\n").as_bytes());
        let _ = self.result.flush();
    }

    /// Tells where the next lines belong, where that changes: a handler, `finally`, a branch that may be taken.
    fn belongs(&mut self, place: &Place) {
        if self.last_part != place.part {
            self.last_part = place.part;
            match place.part {
                Some(Part::Finally) => self.line(&self.paint.dim("  finally")),
                Some(Part::OnFailure) if self.mode == Mode::DryRun => self.line(&self.paint.dim("  on-failure")),
                Some(Part::Rollback) if self.mode == Mode::DryRun => self.line(&self.paint.dim("  rollback")),
                _ => {}
            }
        }
        if self.last_checklist != place.checklist {
            self.last_checklist.clone_from(&place.checklist);
            if let Some(title) = &place.checklist {
                let text = format!("  checklist: {}", safe(title));
                self.line(&self.paint.dim(&text));
            }
        }
        if self.last_possible != place.possible {
            self.last_possible = place.possible.clone();
            if let Some(possible) = &place.possible {
                let text = format!("  ? {}", safe(possible));
                self.line(&self.paint.doubtful(&text));
            }
        }
    }

    fn started(&mut self, event: &Event) {
        let Body::RunStarted { mode, run, runbook, owner, params, partial, hash, .. } = &event.body else { return };
        self.mode = *mode;
        let what = match mode {
            Mode::Exec => "",
            Mode::DryRun => "  dry run: nothing is changed",
        };
        let title = format!("{}{}", self.paint.bold(&safe(runbook)), self.paint.dim(what));
        self.line(&title);
        let mut facts = Vec::new();
        if let Some(file) = &event.place.file {
            facts.push(format!("{file} {}", &hash[..hash.len().min(12)]));
        }
        facts.extend(owner.iter().map(|owner| format!("owner {}", safe(owner))));
        facts.extend(partial.iter().map(|partial| format!("partial: {partial}")));
        facts.extend(run.iter().map(|run| format!("run {run}")));
        self.line(&self.paint.dim(&facts.join(" · ")));
        for param in params {
            let origin = if param.origin == "default" { String::new() } else { format!("  ({})", safe(&param.origin)) };
            self.line(&self.paint.dim(&format!("  {} = {}{origin}", param.name, safe(&param.value))));
        }
    }

    /// Rows that were kept back while more of the same came.
    fn kept(&mut self, kept: Kept) {
        match kept {
            Kept::Rows(rows) => {
                for (place, result) in rows {
                    self.belongs(&place);
                    self.expect(&place, &result);
                }
            }
            Kept::Many { place, check, as_of_now, rows } => {
                let held = rows.len();
                self.belongs(&place);
                let dry = self.mode == Mode::DryRun;
                let now = if dry { self.paint.dim("holds now  ") } else { String::new() };
                let verb = if dry { "hold" } else { "held" };
                let count = self.paint.dim(&format!("  {held} {verb}"));
                let as_of_now = match as_of_now {
                    0 => String::new(),
                    count if count == held => self.paint.doubtful("  as of now"),
                    count => self.paint.doubtful(&format!("  {count} as of now")),
                };
                self.line(&format!("  {} {now}{}{count}{as_of_now}", self.paint.good("✓"), safe(&check)));
            }
        }
    }

    fn expect(&mut self, place: &Place, result: &ExpectResult) {
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
            State::Differs | State::Unknown => {
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

    fn verdict(&mut self, event: &Event) {
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

    fn action(&mut self, action: &str) {
        for (at, line) in action.lines().enumerate() {
            let mark = if at == 0 { "$" } else { " " };
            self.line(&format!("  {} {}", self.paint.action(mark), safe(line)));
        }
    }

    fn resumed(&mut self, resumed: &Resumed) {
        self.last_part = None;
        self.line("");
        let during = resumed.during.as_ref().map(|step| format!(" in step {step}")).unwrap_or_default();
        let text = format!("⏵ resumed by {} on {}", safe(&resumed.by), safe(&resumed.host));
        self.line(&self.paint.doubtful(&text));
        let mut told = vec![format!("was cut off{during} at {}", wall(resumed.cut_off))];
        if let Some(doubt) = &resumed.doubt {
            let what = if doubt.done { "counts as done" } else { "is done again" };
            told.push(format!("in doubt: {}", safe(&doubt.action)));
            told.push(format!("{what}: {}", safe(&doubt.because)));
        }
        match resumed.asked_again {
            0 => {}
            1 => told.push("1 expect of what was done was asked again, and holds".to_owned()),
            many => told.push(format!("{many} expects of what was done were asked again, and hold")),
        }
        told.extend(resumed.redo.iter().map(|step| format!("again from its top: step {step}")));
        told.extend(
            resumed.changed.iter().map(|hash| format!("with a changed runbook: {}", &hash[..hash.len().min(12)])),
        );
        told.extend(resumed.torn.map(|bytes| format!("the record's last line was torn: {bytes} bytes were left out")));
        for told in told {
            self.line(&self.paint.dim(&format!("      {told}")));
        }
    }

    fn summary(&mut self, event: &Event) {
        let Body::Summary { actions, expects, as_of_now, possibly: possible, probes, partial, elapsed } = &event.body
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

/// Day and time, as this host's calendar and wall show them.
pub fn wall(time: jiff::Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `1.2s`, `35ms`, `2m05s`: short, for people.
pub fn time(seconds: Seconds) -> String {
    let duration = seconds.duration();
    if duration < Duration::from_secs(1) {
        return format!("{}ms", duration.as_millis());
    }
    if duration < Duration::from_secs(60) {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    match duration.as_secs() % 60 {
        0 => format!("{}m", duration.as_secs() / 60),
        seconds => format!("{}m{seconds:02}s", duration.as_secs() / 60),
    }
}

impl<P: Write + Send, R: Write + Send> Sink for Text<P, R> {
    fn take(&mut self, event: &Published) {
        let event = event.get();
        let place = &event.place;
        let acting = self.acting;
        if matches!(event.body, Body::ActionEnded { .. }) {
            self.acting = false;
        }
        if !self.settings.verbose {
            let mut kept = None;
            let mut fold = std::mem::take(&mut self.fold);
            let keeps = fold.keeps(event, |rows| kept = Some(rows));
            self.fold = fold;
            kept.into_iter().for_each(|kept| self.kept(kept));
            if keeps {
                return;
            }
        }
        match &event.body {
            Body::RunStarted { .. } => self.started(event),
            Body::StepStarted { title, attempt } => {
                self.last_part = None;
                self.last_possible = None;
                self.last_checklist = None;
                let again =
                    if *attempt > 1 { self.paint.doubtful(&format!("  attempt {attempt}")) } else { String::new() };
                let name = place.step.as_deref().unwrap_or_default();
                self.line("");
                let title = if title == name { String::new() } else { format!("  {}", safe(title)) };
                self.line(&format!("{} {}{title}{again}", self.paint.action("▶"), self.paint.bold(name)));
            }
            Body::StepEnded { outcome, reason, elapsed, .. } => {
                let name = place.step.as_deref().unwrap_or_default();
                let reason = reason.as_deref().map(|reason| format!("  {}", safe(reason))).unwrap_or_default();
                match outcome {
                    StepOutcome::Skipped => {
                        self.line("");
                        self.line(&self.paint.dim(&format!("– {name}  skipped:{reason}")));
                    }
                    StepOutcome::Failed => {
                        let text = format!("✗ {name} failed  {}", time(*elapsed));
                        self.line(&self.paint.bad(&text));
                    }
                    StepOutcome::Recovered => {
                        let text = format!("↻ {name} recovered  {}", time(*elapsed));
                        self.line(&self.paint.doubtful(&text));
                    }
                    StepOutcome::Passed | StepOutcome::Planned if !reason.is_empty() => {
                        self.line(&self.paint.dim(&format!(" {reason}")));
                    }
                    _ => {}
                }
            }
            Body::Bound { name, value, .. } if self.settings.verbose => {
                self.belongs(place);
                self.line(&self.paint.dim(&format!("  {name} = {}", safe(value))));
            }
            Body::Condition { text, value, .. } if self.settings.verbose || value.starts_with("unknown") => {
                self.belongs(place);
                self.line(&self.paint.dim(&format!("  {} is {}", safe(text), safe(value))));
            }
            Body::Shown { text, value } => {
                self.belongs(place);
                self.line(&format!("  {} {}", self.paint.dim("·"), self.paint.dim(&safe(text))));
                for line in value.lines().take(200) {
                    self.line(&format!("    {} {}", self.paint.dim("│"), safe(line)));
                }
            }
            Body::Probed { call, confinement, elapsed, .. } => {
                let held = match confinement {
                    Some(crate::engine::world::Confinement::Sandbox) => "  in the sandbox",
                    Some(crate::engine::world::Confinement::Trusted) => "  on its author's word",
                    Some(crate::engine::world::Confinement::NotAsked) => "  not made",
                    None => "",
                };
                self.probes.push(format!("{}{held}  {}", safe(call), time(*elapsed)));
            }
            Body::ActionStarted { action, .. } => {
                self.acting = true;
                self.belongs(place);
                self.action(action);
            }
            Body::Output { stream, text } => {
                let bar = if *stream == Stream::Stderr { self.paint.doubtful("│") } else { self.paint.dim("│") };
                self.line(&format!("    {bar} {}", self.paint.dim(&safe(text))));
            }
            // It was told where the run was resumed.
            Body::ActionEnded { assumed: Some(_), .. } => {}
            // It was not even started.
            Body::ActionEnded { action, error: Some(error), .. } if !acting => {
                self.belongs(place);
                self.action(action);
                self.line(&self.paint.bad(&format!("    ✗ {}", safe(error))));
            }
            Body::ActionEnded { error, elapsed, .. } => match error {
                Some(error) => {
                    let text = format!("    ✗ {}  {}", safe(error), time(*elapsed));
                    self.line(&self.paint.bad(&text));
                }
                None if elapsed.0 >= 1.0 => self.line(&self.paint.dim(&format!("    {}", time(*elapsed)))),
                None => {}
            },
            Body::ActionPlanned { action, changes } => {
                self.belongs(place);
                let changes = match changes {
                    Changes::Everything => String::new(),
                    Changes::Keys(keys) if keys.is_empty() => "  changes nothing".to_owned(),
                    Changes::Keys(keys) => format!("  changes {}", keys.join(", ")),
                };
                for (at, line) in action.lines().enumerate() {
                    let mark = if at == 0 { "would run $" } else { "           " };
                    let changes = if at == 0 { self.paint.dim(&safe(&changes)) } else { String::new() };
                    self.line(&format!("  {} {}{changes}", self.paint.action(mark), safe(line)));
                }
            }
            Body::ActionSkipped { action, .. } => {
                self.belongs(place);
                self.line(&self.paint.dim(&format!("  – not needed: {}", safe(action))));
            }
            Body::ExpectEnded(result) => {
                self.belongs(place);
                self.expect(place, result);
            }
            Body::ExpectStarted { .. } | Body::ExpectAsked { .. } | Body::ExpectDecided { .. } => {}
            Body::HandlerStarted { .. } => {
                self.last_part = place.part;
                self.line(&self.paint.doubtful("  ↳ on-failure"));
            }
            Body::Retrying { attempt, of, after } => {
                let after = if after.0 > 0.0 { format!(", after {}", time(*after)) } else { String::new() };
                self.line(&self.paint.doubtful(&format!("  ↻ retry {attempt} of {of}{after}")));
            }
            Body::AskingAgain => self.line(&self.paint.doubtful("  ↻ asking again what failed")),
            Body::StopHeld { reason, text, actual, .. } => {
                self.line("");
                self.line(&self.paint.bad(&format!("■ stop: {}", safe(reason))));
                self.line(&self.paint.dim(&format!("      {} · {}", safe(text), safe(actual))));
            }
            Body::Cancelled { reason } => {
                let text = format!("■ {}", safe(reason));
                self.line(&self.paint.doubtful(&text));
            }
            Body::Verdict { .. } => self.verdict(event),
            Body::Summary { .. } => self.summary(event),
            Body::ConfirmPlanned { text, role, answer } => {
                self.belongs(place);
                let answer = answer.as_ref().map(|answer| format!("  {}", safe(answer))).unwrap_or_default();
                let mark = self.paint.action("would ask");
                self.line(&format!("  {mark} {}: {}{}", safe(role), safe(text), self.paint.dim(&answer)));
            }
            Body::ConfirmAsked { text, role } => {
                self.belongs(place);
                self.line(&format!("  {} {}  {}", self.paint.action("☐"), safe(text), self.paint.dim(&safe(role))));
            }
            Body::Confirmed(confirmed) => {
                let by = confirmed.by.as_deref().unwrap_or_default();
                let value = confirmed.value.as_ref().map(|value| format!(": {}", safe(value))).unwrap_or_default();
                let at = confirmed.at.map(|at| format!("  {}", wall(at))).unwrap_or_default();
                if confirmed.given {
                    let told = format!("  {} confirmed by {}{value}", self.paint.good("☑"), safe(by));
                    self.line(&format!("{told}{}", self.paint.dim(&at)));
                } else {
                    let reason = safe(confirmed.reason.as_deref().unwrap_or_default());
                    self.line(&format!("  {} {}", self.paint.bad("✗"), self.paint.bad(&reason)));
                }
            }
            Body::VerdictStarted => {
                self.last_part = None;
                self.last_possible = None;
                self.last_checklist = None;
                self.line("");
                self.line(&format!("{} {}  What decides", self.paint.action("▶"), self.paint.bold("verdict")));
            }
            Body::Resumed(resumed) => self.resumed(resumed),
            Body::RollbackStarted { reason, steps, stays, stops_at } => {
                self.last_part = None;
                self.line("");
                let text = format!("◀ rolling back: {}", safe(reason));
                self.line(&self.paint.doubtful(&text));
                let told = [
                    ("undone, in this order", steps.join(", ")),
                    ("stays, without a rollback", stays.join(", ")),
                    ("no way back from", stops_at.clone().unwrap_or_default()),
                ];
                for (what, steps) in told.iter().filter(|(_, steps)| !steps.is_empty()) {
                    self.line(&self.paint.dim(&format!("      {what}: {steps}")));
                }
                if steps.is_empty() {
                    self.line(&self.paint.dim("      nothing that has begun can be undone"));
                }
            }
            Body::UndoStarted { title, within } => {
                self.last_part = place.part;
                let name = place.step.as_deref().unwrap_or_default();
                let within = within.map(|within| format!("  within {}", time(within))).unwrap_or_default();
                self.line("");
                let title = if title == name { String::new() } else { format!("  {}", safe(title)) };
                let mark = self.paint.doubtful("◀");
                self.line(&format!("{mark} {}{title}{}", self.paint.bold(name), self.paint.dim(&within)));
            }
            Body::UndoEnded(undone) => {
                let name = place.step.as_deref().unwrap_or_default();
                match &undone.reason {
                    Some(reason) if undone.ok => {
                        self.line(&self.paint.doubtful(&format!("! {name} was undone, but {}", safe(reason))))
                    }
                    Some(_) => {
                        let text = format!("✗ {name} could not be undone  {}", time(undone.elapsed));
                        self.line(&self.paint.bad(&text));
                    }
                    None => {}
                }
            }
            Body::Bound { .. } | Body::Condition { .. } | Body::Baseline { .. } | Body::GroupEnded { .. } => {}
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
