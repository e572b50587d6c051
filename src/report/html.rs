//! A run or a dry run as one HTML file: nothing is loaded from outside, it is read without JavaScript, light and dark, on paper
//! and on a phone.
//!
//! The decision first; then each step with its rows, of which each opens to expected, found, where and how often. What a
//! server or a command put into it is text, never markup: every word goes through `markup`.

use std::fmt::Write as _;
use std::io::Write;

use crate::check::program::VERDICT;
use crate::engine::event::{
    Accepted, Body, DiffSign, Event, ExpectCounts, ExpectResult, Mode, Part, Place, Published, Sink, State,
    StateCounts, StepCounts, StepOutcome, Undone, Verdict,
};
use crate::engine::world::Stream;

use super::called::Called;
use super::safe::markup as text;
use super::text::{time, wall};

const STYLE: &str = include_str!("html.css");

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
    /// The steps, for the way to them: name, mark, words.
    index: Vec<(String, &'static str, String)>,
    output: Vec<(Stream, String)>,
    more_output: usize,
    part: Option<Part>,
    checklist: Option<String>,
    possible: Option<String>,
}

struct Section {
    name: String,
    title: String,
    rows: String,
    bad: bool,
}

impl<W: Write + Send> Html<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            facts: Vec::new(),
            title: String::new(),
            mode: Mode::Exec,
            body: String::new(),
            step: None,
            index: Vec::new(),
            output: Vec::new(),
            more_output: 0,
            part: None,
            checklist: None,
            possible: None,
        }
    }

    fn started(&mut self, event: &Event) {
        let Body::RunStarted { mode, run, by, host, program, runbook, hash, owner, params, partial, root, .. } =
            &event.body
        else {
            return;
        };
        self.mode = *mode;
        self.title.clone_from(runbook);
        let file = event.place.file.clone().unwrap_or_default();
        let who = by.as_ref().map(|by| match host {
            Some(host) => format!("{by} on {host}"),
            None => by.clone(),
        });
        let params: Vec<String> = params
            .iter()
            .map(|param| match param.origin.as_str() {
                "default" => format!("{} = {}", param.name, param.value),
                origin => format!("{} = {}  ({origin})", param.name, param.value),
            })
            .collect();
        let facts = [
            ("runbook", Some(file)),
            ("hash", Some(hash.clone())),
            ("run", run.clone()),
            ("began", Some(wall(event.time))),
            ("by", who),
            ("owner", owner.clone()),
            ("partial", partial.clone()),
            ("params", (!params.is_empty()).then(|| params.join("\n"))),
            ("root", Some(root.clone())),
            ("program", Some(format!("runbook {program}"))),
        ];
        self.facts = facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect();
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
        self.step = Some(Section { name: name.to_owned(), title: title.to_owned(), rows: String::new(), bad: false });
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
        let Some(Section { name, title, rows, bad }) = self.step.take() else { return };
        let class = match class {
            "" if bad => "bad",
            "" if name == VERDICT && self.mode == Mode::Exec => "good",
            "" => "plain",
            class => class,
        };
        let id = anchor(&name, self.index.len());
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
        self.index.push((id, class, name));
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
        if more > 0 {
            let _ = writeln!(told, "… {more} more lines");
        }
        told.push_str("</pre>\n");
        self.rows().push_str(&told);
    }

    fn expect(&mut self, place: &Place, result: &ExpectResult) {
        let class = match result.state {
            State::Holds => "good",
            _ if result.waived || result.warn => "doubt",
            State::Differs => "bad",
            State::Unknown => "unknown",
        };
        if let (Some(section), "bad" | "unknown") = (&mut self.step, class) {
            section.bad = true;
        }
        let id = place.expect.as_deref().unwrap_or_default();
        let called = Called::of(place, result);
        let name = called.name.or(called.keys).map(|name| format!("<b>{}</b> ", text(name))).unwrap_or_default();
        let mut details = String::new();
        if result.diff.is_empty() || result.state != State::Differs {
            fact(&mut details, "expected", &result.expected);
            match (&result.reason, result.state) {
                (Some(reason), State::Unknown) => fact(&mut details, "unknown", reason),
                _ => fact(&mut details, "found", &result.actual),
            }
        } else {
            details.push_str("<dt>difference</dt><dd><pre class=\"diff\">");
            for line in &result.diff {
                let (sign, class) = match line.sign {
                    DiffSign::Expected => ("-", "expected"),
                    DiffSign::Actual => ("+", "found"),
                    DiffSign::Both => (" ", "both"),
                    DiffSign::Skip => ("…", "both"),
                };
                let _ = writeln!(details, "<span class=\"{class}\">{sign} {}</span>", text(&line.text));
            }
            details.push_str("</pre></dd>");
        }
        if let (Some(reason), true) = (&result.reason, result.state != State::Unknown) {
            fact(&mut details, "because", reason);
        }
        for (what, said) in [("means", &result.message), ("accepted", &result.risk), ("as of now", &result.as_of_now)] {
            if let Some(said) = said.as_ref().filter(|_| what != "accepted" || result.waived) {
                fact(&mut details, what, said);
            }
        }
        if let Some(check) = &result.check {
            fact(&mut details, "in", check);
        }
        let times = match result.attempts {
            1 => format!("once, {}", time(result.elapsed)),
            many => format!("{many} times in {}", time(result.elapsed)),
        };
        let within = result.within.map(|within| format!(", within {}", time(within))).unwrap_or_default();
        fact(&mut details, "asked", &format!("{times}{within}"));
        let via: String = result.via.iter().map(|via| format!(", asked at {via}")).collect();
        let at = format!("{}:{}{via}", place.file.as_deref().unwrap_or_default(), place.line.unwrap_or_default());
        fact(&mut details, "at", &at);
        fact(&mut details, "id", id);
        let open = if matches!(class, "bad" | "unknown") { " open=\"\"" } else { "" };
        let row = format!(
            "<details class=\"row {class}\"{open}><summary>{}{name}<code>{}</code></summary><dl>{details}</dl></details>\n",
            mark(class),
            text(called.words)
        );
        self.rows().push_str(&row);
    }

    fn verdict(&mut self, event: &Event) {
        let Body::Verdict { verdict, reasons, steps, expects, recovered, warnings, accepted, undone, elapsed, .. } =
            &event.body
        else {
            return;
        };
        let (word, class) = match verdict {
            Verdict::Go if accepted.is_empty() => ("GO", "good"),
            Verdict::Go => ("GO with accepted risks", "doubt"),
            Verdict::NoGo => ("NO-GO", "bad"),
        };
        let mut head = format!("<p class=\"decision {class}\">{}<strong>{word}</strong></p>\n", mark(class));
        let StepCounts { passed, recovered: mended, failed, skipped } = steps;
        let ExpectCounts { held, differed, unknown, waived } = expects;
        let _ = writeln!(
            head,
            "<p class=\"counts\">steps: {passed} passed, {mended} recovered, {failed} failed, {skipped} skipped · expects: {held} \
             held, {differed} differed, {unknown} unknown, {waived} accepted · {}</p>",
            time(*elapsed)
        );
        list(&mut head, "Reasons", "bad", reasons);
        list(&mut head, "Recovered", "doubt", recovered);
        if !accepted.is_empty() {
            head.push_str("<h2>Accepted risks</h2>\n<div class=\"wide\"><table><thead><tr><th>risk</th><th>expects</th><th>until</th>\
                           <th>approver</th><th>reason</th></tr></thead><tbody>\n");
            for Accepted { risk, expects, until, approver, reason } in accepted {
                let _ = writeln!(
                    head,
                    "<tr><td>{}</td><td>{}</td><td class=\"day\">{}</td><td>{}</td><td>{}</td></tr>",
                    text(risk),
                    text(&expects.join(", ")),
                    until.strftime("%Y-%m-%d"),
                    text(approver),
                    text(reason)
                );
            }
            head.push_str("</tbody></table></div>\n");
        }
        let told: Vec<String> = undone
            .iter()
            .map(|Undone { step, ok, reason, elapsed }| {
                let what = if *ok { "undone" } else { "not undone" };
                let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                format!("{step} {what}{reason}, {}", time(*elapsed))
            })
            .collect();
        list(&mut head, "Undone", "doubt", &told);
        list(&mut head, "Warnings", "doubt", warnings);
        self.write(&head);
    }

    fn summary(&mut self, event: &Event) {
        let Body::Summary { actions, expects, as_of_now, probes, elapsed, .. } = &event.body else { return };
        let StateCounts { holds, differs, unknown } = expects;
        let head = format!(
            "<p class=\"decision plain\">{}<strong>Dry run</strong></p>\n<p class=\"counts\">Nothing was changed. {actions} actions \
             would be run · expects: {holds} hold now, {differs} differ now, {unknown} unknown, {as_of_now} of them as of now · \
             {probes} probes · {}</p>\n",
            mark("plain"),
            time(*elapsed)
        );
        self.write(&head);
    }

    fn write(&mut self, head: &str) {
        self.close("", "");
        let title = text(&self.title);
        let mut facts = String::new();
        self.facts.iter().for_each(|(name, told)| fact(&mut facts, name, told));
        let mut index = String::new();
        for (id, class, name) in &self.index {
            let _ = writeln!(index, "<li class=\"{class}\">{}<a href=\"#{id}\">{}</a></li>", mark(class), text(name));
        }
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{head}\
             <details class=\"facts\"><summary>The run</summary><dl>{facts}</dl></details>\n</header>\n\
             <div class=\"all\"><input type=\"checkbox\" id=\"only\"/><label for=\"only\">only what does not hold</label>\n\
             <nav aria-label=\"Steps\"><ol>\n{index}</ol></nav>\n<main>\n{}</main></div>\n</body>\n</html>\n",
            self.body
        );
        let _ = self.out.write_all(page.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Sink for Html<W> {
    fn take(&mut self, event: &Published) {
        let event = event.get();
        let place = &event.place;
        if !matches!(event.body, Body::Output { .. } | Body::Probed { .. } | Body::ExpectAsked { .. }) {
            self.printed();
        }
        let step = place.step.as_deref().unwrap_or_default();
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
            Body::VerdictStarted => self.open("verdict", "What decides"),
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
                self.action("$", action, "");
            }
            Body::Output { stream, text } if self.output.len() < OUTPUT => self.output.push((*stream, text.clone())),
            Body::Output { .. } => self.more_output += 1,
            Body::ActionEnded { error: Some(error), elapsed, .. } => {
                let told = format!("<p class=\"error\">{}{}, {}</p>\n", mark("bad"), text(error), time(*elapsed));
                self.rows().push_str(&told);
            }
            Body::ActionPlanned { action, .. } => {
                self.belongs(place);
                self.action("would run", action, "planned");
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
            Body::Verdict { .. } => self.verdict(event),
            Body::Summary { .. } => self.summary(event),
            _ => {}
        }
    }
}

fn list(head: &mut String, title: &str, class: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = write!(head, "<h2>{title}</h2>\n<ul class=\"{class}\">\n");
    items.iter().for_each(|item| {
        let _ = writeln!(head, "<li>{}{}</li>", mark(class), text(item));
    });
    head.push_str("</ul>\n");
}

fn fact(out: &mut String, name: &str, told: &str) {
    let lines: Vec<String> = told.lines().map(text).collect();
    let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", lines.join("<br/>"));
}

/// What is told by colour is told by a sign, too; a reader that speaks says the word.
fn mark(class: &str) -> &'static str {
    match class {
        "good" => "<span class=\"mark\" role=\"img\" aria-label=\"holds\">✓</span> ",
        "bad" => "<span class=\"mark\" role=\"img\" aria-label=\"failed\">✗</span> ",
        "unknown" => "<span class=\"mark\" role=\"img\" aria-label=\"unknown\">?</span> ",
        "doubt" => "<span class=\"mark\" role=\"img\" aria-label=\"with a reservation\">~</span> ",
        _ => "<span class=\"mark\" role=\"img\" aria-label=\"neutral\">·</span> ",
    }
}

/// A place in the page.
fn anchor(name: &str, nth: usize) -> String {
    let name: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    format!("s{}-{name}", nth + 1)
}
