//! A run or a dry run as one HTML file: nothing is loaded from outside, it is read without JavaScript, light and dark, on paper
//! and on a phone.
//!
//! The decision first; then each step with its rows, of which each opens to expected, found, where and how often. What a
//! server or a command put into it is text, never markup: every word goes through `markup`.

mod page;
mod row;

use std::fmt::Write as _;
use std::io::Write;

use crate::check::program::{VERDICT, VERDICT_TITLE};
use crate::engine::events::event::{
    Body, Event, ExpectResult, Mode, Part, Place, Published, Sink, State, StateCounts, StepOutcome, Undone,
};
use crate::engine::world::Stream;

use super::rough;
use super::safe::markup as text;
use super::texts::{Lines, Texts};
use super::times::{time, wall};
use page::{Axis, Stop, Way, anchor, fact, facts, mark, page, summary, unfinished, verdict};
use row::{Attempts, row};

/// So many lines that an action printed are shown.
const OUTPUT: usize = 200;

/// Gathers the events, and writes the file at the end.
pub struct Html<W> {
    out: W,
    facts: Vec<(&'static str, String)>,
    title: String,
    mode: Mode,
    /// What was told so far, a section a step.
    body: String,
    /// The step that is open: its head, and whether something in it did not hold.
    step: Option<Section>,
    way: Vec<Stop>,
    axis: Axis,
    now: f64,
    texts: Texts,
    lines: Lines,
    attempts: Attempts,
    output: Vec<(Stream, String)>,
    more_output: u64,
    /// How many bytes of these are not in the journal.
    not_recorded: u64,
    part: Option<Part>,
    checklist: Option<String>,
    possible: Option<String>,
}

struct Section {
    name: String,
    title: String,
    rows: String,
    bad: bool,
    /// Something in it did not hold, and does not block.
    doubt: bool,
    /// When it began, in seconds of the run.
    began: f64,
    /// Of a dry run: what would be run, and what holds, differs and is unknown now.
    planned: u32,
    states: StateCounts,
}

impl<W: Write + Send> Html<W> {
    /// `texts`: those of which lines are shown, if the run was read from them.
    pub fn new(out: W, texts: Texts) -> Self {
        Self {
            out,
            facts: Vec::new(),
            title: String::new(),
            mode: Mode::Exec,
            body: String::new(),
            step: None,
            way: Vec::new(),
            axis: Axis::default(),
            now: 0.0,
            texts,
            lines: Lines::default(),
            attempts: Attempts::default(),
            output: Vec::new(),
            more_output: 0,
            not_recorded: 0,
            part: None,
            checklist: None,
            possible: None,
        }
    }

    fn started(&mut self, event: &Event) {
        let Body::RunStarted { mode, runbook, sources, stdlib, .. } = &event.body else { return };
        self.mode = *mode;
        self.title.clone_from(runbook);
        self.facts = facts(event);
        self.lines = Lines::of(&self.texts, sources, stdlib);
    }

    /// The rows of what is open now.
    fn rows(&mut self) -> &mut String {
        match &mut self.step {
            Some(section) => &mut section.rows,
            None => &mut self.body,
        }
    }

    fn open(&mut self, name: &str, title: &str) {
        self.close("", "");
        self.part = None;
        self.possible = None;
        self.step = Some(Section {
            name: name.to_owned(),
            title: title.to_owned(),
            rows: String::new(),
            bad: false,
            doubt: false,
            began: self.now,
            planned: 0,
            states: StateCounts::default(),
        });
    }

    fn end_checklist(&mut self) {
        if self.checklist.take().is_some() {
            self.rows().push_str("</div>\n");
        }
    }

    /// Ends the open section. `class`: what it came to.
    fn close(&mut self, class: &'static str, words: &str) {
        self.printed();
        self.end_checklist();
        let Some(Section { name, title, rows, bad, doubt, began, planned, states }) = self.step.take() else { return };
        let class = match class {
            "" if bad => "bad",
            "" if doubt => "doubt",
            "" if name == VERDICT && self.mode == Mode::Exec => "good",
            "" => "plain",
            class => class,
        };
        let id = anchor(&name, self.way.len());
        let title =
            if title == name { String::new() } else { format!(" <span class=\"title\">{}</span>", text(&title)) };
        let words = match words {
            "" => String::new(),
            words => format!("<p class=\"outcome\">{}</p>\n", text(words)),
        };
        let _ = write!(
            self.body,
            "<section class=\"step {class}\" id=\"{id}\"><h2>{}<a href=\"#{id}\">{}</a>{title}</h2>\n{words}{rows}</section>\n",
            mark(class),
            text(&name)
        );
        let what = match self.mode {
            Mode::Exec => Way::Took(began, self.now),
            Mode::DryRun => Way::Would(planned, states),
        };
        self.way.push(Stop { anchor: id, class, name, what });
    }

    /// Where the next rows belong, where that changes.
    fn belongs(&mut self, place: &Place) {
        if self.part != place.part {
            self.part = place.part;
            let words = match place.part {
                Some(Part::OnFailure) => "on-failure",
                Some(Part::Finally) => "finally",
                Some(Part::Rollback) => "rollback",
                None => "",
            };
            if !words.is_empty() {
                let _ = writeln!(self.rows(), "<p class=\"part\">{words}</p>");
            }
        }
        if self.checklist != place.checklist {
            self.end_checklist();
            self.checklist.clone_from(&place.checklist);
            if let Some(title) = &place.checklist {
                let told = format!("<div class=\"checklist\"><h3>Checklist: {}</h3>\n", text(title));
                self.rows().push_str(&told);
            }
        }
        if self.possible != place.possible {
            self.possible.clone_from(&place.possible);
            if let Some(possible) = &place.possible {
                let told = format!("<p class=\"part\">{}</p>\n", text(possible));
                self.rows().push_str(&told);
            }
        }
    }

    fn action(&mut self, words: &str, action: &str, class: &str) {
        let told = format!(
            "<p class=\"action {class}\"><span class=\"mark\">{words}</span> <code>{}</code></p>\n",
            text(action)
        );
        self.rows().push_str(&told);
    }

    /// What the last action printed.
    fn printed(&mut self) {
        let lines = std::mem::take(&mut self.output);
        let more = std::mem::take(&mut self.more_output);
        let not_recorded = std::mem::take(&mut self.not_recorded);
        if lines.is_empty() {
            return;
        }
        let mut told = String::from("<pre class=\"output\">");
        for (stream, line) in lines {
            match stream {
                Stream::Stderr => {
                    let _ = writeln!(told, "<span class=\"err\">{}</span>", text(&line));
                }
                Stream::Stdout => {
                    let _ = writeln!(told, "{}", text(&line));
                }
            }
        }
        if not_recorded > 0 {
            let size = rough(not_recorded);
            let _ = writeln!(told, "… {more} more lines, {size} of which are not in the journal");
        } else if more > 0 {
            let _ = writeln!(told, "… {more} more lines");
        }
        told.push_str("</pre>\n");
        self.rows().push_str(&told);
    }

    fn expect(&mut self, place: &Place, result: &ExpectResult) {
        if let Some(section) = &mut self.step {
            match result.state {
                State::Holds => section.states.holds += 1,
                State::Differs => section.states.differs += 1,
                State::Unknown | State::Undecided => section.states.unknown += 1,
            }
            match row::class(result) {
                "bad" | "unknown" => section.bad = true,
                "doubt" => section.doubt = true,
                _ => {}
            }
        }
        let told = row(place, result, &mut self.attempts, &self.lines);
        self.rows().push_str(&told);
    }

    fn write(&mut self, head: &str) {
        self.close("", "");
        let page = page(&self.title, head, &self.facts, &self.way, &self.body);
        let _ = self.out.write_all(page.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Sink for Html<W> {
    fn take(&mut self, event: &Published) {
        let event = event.get();
        let place = &event.place;
        if !matches!(
            event.body,
            Body::Output { .. }
                | Body::OutputLeftOut { .. }
                | Body::Probed { .. }
                | Body::ExpectAsked { .. }
                | Body::ExpectDecided { .. }
        ) {
            self.printed();
        }
        let step = place.step.as_deref().unwrap_or_default();
        self.now = self.axis.at(event.time);
        match &event.body {
            Body::RunStarted { .. } => self.started(event),
            Body::StepStarted { title, attempt: 1 } => self.open(step, title),
            Body::StepStarted { attempt, .. } => {
                self.part = None;
                let told = format!("<p class=\"part\">attempt {attempt}</p>\n");
                self.rows().push_str(&told);
            }
            Body::ConfirmPlanned { text: what, role, .. } => {
                self.belongs(place);
                let told = format!(
                    "<p class=\"action planned\"><span class=\"mark\">would ask</span> {}: {}</p>\n",
                    text(role),
                    text(what)
                );
                self.rows().push_str(&told);
            }
            Body::Confirmed(confirmed) => {
                self.belongs(place);
                let class = if confirmed.given { "good" } else { "bad" };
                if let (Some(section), false) = (&mut self.step, confirmed.given) {
                    section.bad = true;
                }
                let mut details = String::new();
                let at = confirmed.at.map(wall);
                for (what, told) in [
                    ("by", &confirmed.by),
                    ("as", &Some(confirmed.role.clone())),
                    ("when", &at),
                    ("answer", &confirmed.value),
                    ("because", &confirmed.reason),
                    ("from", &confirmed.source),
                ] {
                    told.iter().for_each(|told| fact(&mut details, what, told));
                }
                let open = if confirmed.given { "" } else { " open=\"\"" };
                let row = format!(
                    "<details class=\"row {class}\"{open}><summary>{}{}</summary><dl>{details}</dl></details>\n",
                    mark(class),
                    text(&confirmed.text)
                );
                self.rows().push_str(&row);
            }
            Body::VerdictStarted => self.open(VERDICT, VERDICT_TITLE),
            Body::StepEnded { outcome, reason, elapsed, .. } => {
                let reason = reason.as_deref().unwrap_or_default();
                if self.step.is_none() {
                    self.open(step, step);
                }
                let (class, word) = match outcome {
                    StepOutcome::Passed => ("good", "passed"),
                    StepOutcome::Recovered => ("doubt", "recovered"),
                    StepOutcome::Failed => ("bad", "failed"),
                    StepOutcome::Skipped => ("plain", "skipped"),
                    StepOutcome::Planned => ("", ""),
                };
                let words = match (reason, word) {
                    ("", "") => String::new(),
                    (reason, "") => reason.to_owned(),
                    ("", word) => format!("{word}, {}", time(*elapsed)),
                    (reason, word) => format!("{word}, {}: {reason}", time(*elapsed)),
                };
                self.close(class, &words);
            }
            Body::ActionStarted { action, .. } => {
                self.belongs(place);
                self.action("$", action, "ran");
            }
            Body::Output { stream, text } => {
                for line in text.split('\n') {
                    if self.output.len() < OUTPUT {
                        self.output.push((*stream, line.to_owned()));
                    } else {
                        self.more_output += 1;
                    }
                }
            }
            Body::OutputLeftOut { bytes, lines, .. } => {
                self.more_output += lines;
                self.not_recorded += bytes;
            }
            Body::ActionEnded { error: Some(error), elapsed, .. } => {
                let told = format!("<p class=\"error\">{}{}, {}</p>\n", mark("bad"), text(error), time(*elapsed));
                self.rows().push_str(&told);
            }
            Body::ActionPlanned { action, .. } => {
                self.belongs(place);
                self.action("would run", action, "planned");
                self.step.iter_mut().for_each(|section| section.planned += 1);
            }
            Body::ActionSkipped { action, .. } => {
                self.belongs(place);
                self.action("not needed", action, "planned");
            }
            Body::Shown { text: what, value } => {
                self.belongs(place);
                let lines: Vec<String> = value.lines().take(OUTPUT).map(text).collect();
                let told = format!(
                    "<p class=\"shown\"><code>{}</code></p>\n<pre class=\"output\">{}\n</pre>\n",
                    text(what),
                    lines.join("\n")
                );
                self.rows().push_str(&told);
            }
            Body::ExpectStarted { .. } => {
                self.attempts.began(place.expect.as_deref().unwrap_or_default(), event.time);
            }
            Body::ExpectAsked { actual, .. } => {
                self.attempts.asked(place.expect.as_deref().unwrap_or_default(), event.time, actual);
            }
            Body::ExpectEnded(result) => {
                self.belongs(place);
                self.expect(place, result);
            }
            Body::HandlerStarted { .. } => self.belongs(place),
            Body::AskingAgain => self.rows().push_str("<p class=\"part\">asking again what failed</p>\n"),
            Body::Retrying { attempt, of, after } => {
                let told = format!("<p class=\"part\">retry {attempt} of {of}, after {}</p>\n", time(*after));
                self.rows().push_str(&told);
            }
            Body::Cancelled { reason } | Body::StopHeld { reason, .. } => {
                let told = format!("<p class=\"error\">{}{}</p>\n", mark("bad"), text(reason));
                self.rows().push_str(&told);
            }
            Body::Resumed(resumed) => {
                self.axis.away(resumed.cut_off, event.time);
                self.now = self.axis.at(event.time);
                // Which line says what is told by the text that was read first.
                if resumed.changed.is_some() {
                    self.lines = Lines::default();
                }
                let mut told = format!(
                    "<p class=\"error doubt\">{}cut off at {}, resumed by {} on {}; {} expects were asked again, and hold</p>\n",
                    mark("doubt"),
                    wall(resumed.cut_off),
                    text(&resumed.by),
                    text(&resumed.host),
                    resumed.asked_again
                );
                if let Some(doubt) = &resumed.doubt {
                    let what = if doubt.done { "counts as done" } else { "is done again" };
                    let _ = writeln!(
                        told,
                        "<p class=\"part\">in doubt: <code>{}</code> {what}: {}</p>",
                        text(&doubt.action),
                        text(&doubt.because)
                    );
                }
                self.rows().push_str(&told);
            }
            Body::RollbackStarted { reason, .. } => {
                self.open("rollback", "Undoing what was begun");
                let told = format!("<p class=\"part\">{}</p>\n", text(reason));
                self.rows().push_str(&told);
            }
            Body::UndoStarted { title, .. } => {
                self.part = place.part;
                let told = format!("<p class=\"part\">undoing {}: {}</p>\n", text(step), text(title));
                self.rows().push_str(&told);
            }
            Body::UndoEnded(Undone { reason: Some(reason), .. }) => {
                let told = format!("<p class=\"error\">{}{}</p>\n", mark("bad"), text(reason));
                self.rows().push_str(&told);
            }
            Body::Verdict { .. } => self.write(&verdict(event)),
            Body::Summary { .. } => self.write(&summary(event)),
            _ => {}
        }
    }

    fn unfinished(&mut self, why: &str) {
        self.write(&unfinished(why));
    }
}
