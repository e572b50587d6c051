//! The page around the rows: the decision, the way to each step with the time it took, the facts of the run.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::engine::events::event::{Accepted, Body, Event, ExpectCounts, StateCounts, StepCounts, Undone, Verdict};

use super::super::safe::markup as text;
use super::super::times::{time, wall};

const STYLE: &str = include_str!("style.css");

/// A step on the way through the page.
pub(super) struct Stop {
    pub anchor: String,
    pub class: &'static str,
    pub name: String,
    pub what: Way,
}

/// What is told of a step on the way to it.
pub(super) enum Way {
    /// When it began and ended, in seconds of the run.
    Took(f64, f64),
    /// How many actions it would run, and what its expects are now.
    Would(u32, StateCounts),
}

/// The time of a run, without that between its being cut off and gone on with.
#[derive(Default)]
pub(super) struct Axis {
    began: Option<Timestamp>,
    away: f64,
}

impl Axis {
    /// Seconds of the run.
    pub fn at(&mut self, now: Timestamp) -> f64 {
        let began = *self.began.get_or_insert(now);
        (now.duration_since(began).as_secs_f64() - self.away).max(0.0)
    }

    pub fn away(&mut self, from: Timestamp, to: Timestamp) {
        self.away += to.duration_since(from).as_secs_f64().max(0.0);
    }
}

/// Head and body of a page that is whole.
pub(super) fn page(title: &str, head: &str, facts: &[(&'static str, String)], way: &[Stop], body: &str) -> String {
    let title = text(title);
    let mut told = String::new();
    facts.iter().for_each(|(name, fact_told)| fact(&mut told, name, fact_told));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{head}\
         <details class=\"facts\"><summary>The run</summary><dl>{told}</dl></details>\n</header>\n\
         <div class=\"all\"><input type=\"checkbox\" id=\"only\"/><label for=\"only\">only what does not hold</label>\n\
         <nav aria-label=\"Steps\"><ol>\n{}</ol></nav>\n<main>\n{body}</main></div>\n</body>\n</html>\n",
        timeline(way)
    )
}

/// The steps, each with its place in the time of the run.
fn timeline(way: &[Stop]) -> String {
    let ends = way.iter().map(|stop| match stop.what {
        Way::Took(_, end) => end,
        Way::Would(..) => 0.0,
    });
    let end = ends.fold(f64::MIN_POSITIVE, f64::max);
    let mut out = String::new();
    for Stop { anchor, class, name, what } in way {
        let bar = match what {
            Way::Took(from, to) => {
                let (left, width) = (from / end * 100.0, (to - from) / end * 100.0);
                let took = time(std::time::Duration::from_secs_f64((to - from).max(0.0)).into());
                format!(
                    "<span class=\"bar\" aria-hidden=\"true\"><i style=\"left:{left:.2}%;width:{width:.2}%\"></i></span>\
                     <span class=\"took\">{took}</span>"
                )
            }
            Way::Would(actions, StateCounts { holds, differs, unknown, .. }) => {
                let told = [(actions, "would run"), (holds, "hold now"), (differs, "differ now"), (unknown, "unknown")];
                let told: Vec<String> = told
                    .iter()
                    .filter(|(count, _)| **count > 0)
                    .map(|(count, what)| format!("{count} {what}"))
                    .collect();
                format!("<span class=\"would\">{}</span>", told.join(" · "))
            }
        };
        let _ = writeln!(
            out,
            "<li class=\"{class}\"><span class=\"to\">{}<a href=\"#{anchor}\">{}</a></span>{bar}</li>",
            mark(class),
            text(name)
        );
    }
    out
}

/// Who ran what, and where.
pub(super) fn facts(event: &Event) -> Vec<(&'static str, String)> {
    let Body::RunStarted { run, by, host, program, hash, owner, params, partial, root, .. } = &event.body else {
        return Vec::new();
    };
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
    facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect()
}

/// The decision.
pub(super) fn verdict(event: &Event) -> String {
    let Body::Verdict { verdict, reasons, steps, expects, recovered, warnings, accepted, undone, elapsed, .. } =
        &event.body
    else {
        return String::new();
    };
    let (word, class) = match verdict {
        Verdict::Go if accepted.is_empty() => ("GO", "good"),
        Verdict::Go => ("GO with accepted risks", "doubt"),
        Verdict::NoGo => ("NO-GO", "bad"),
        Verdict::RolledBack => ("ROLLED BACK", "bad"),
        Verdict::RollbackFailed => ("ROLLBACK FAILED", "bad"),
    };
    let mut head = format!("<p class=\"decision {class}\">{}<strong>{word}</strong></p>\n", mark(class));
    let StepCounts { passed, recovered: mended, failed, skipped } = steps;
    let ExpectCounts { held, differed, unknown, waived, .. } = expects;
    let _ = writeln!(
        head,
        "<p class=\"counts\">steps: {passed} passed, {mended} recovered, {failed} failed, {skipped} skipped · expects: {held} \
         held, {differed} differed, {unknown} unknown, {waived} accepted · {}</p>",
        time(*elapsed)
    );
    list(&mut head, "Reasons", "bad", reasons);
    list(&mut head, "Recovered", "doubt", recovered);
    if !accepted.is_empty() {
        head.push_str(
            "<h2>Accepted risks</h2>\n<div class=\"wide\"><table><thead><tr><th>risk</th><th>expects</th><th>until</th>\
                       <th>approver</th><th>reason</th></tr></thead><tbody>\n",
        );
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
    head
}

/// Of a run that has none.
pub(super) fn unfinished(why: &str) -> String {
    format!(
        "<p class=\"decision doubt\">{}<strong>No verdict</strong></p>\n<p class=\"counts\">{}</p>\n",
        mark("doubt"),
        text(why)
    )
}

/// What a dry run comes to.
pub(super) fn summary(event: &Event) -> String {
    let Body::Summary { actions, expects, as_of_now, probes, elapsed, .. } = &event.body else { return String::new() };
    let StateCounts { holds, differs, unknown, .. } = expects;
    format!(
        "<p class=\"decision plain\">{}<strong>Dry run</strong></p>\n<p class=\"counts\">Nothing was changed. {actions} actions \
         would be run · expects: {holds} hold now, {differs} differ now, {unknown} unknown, {as_of_now} of them as of now · \
         {probes} probes · {}</p>\n",
        mark("plain"),
        time(*elapsed)
    )
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

pub(super) fn fact(out: &mut String, name: &str, told: &str) {
    let lines: Vec<String> = told.lines().map(text).collect();
    let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", lines.join("<br/>"));
}

/// What is told by colour is told by a sign, too; a reader that speaks says the word.
pub(super) fn mark(class: &str) -> &'static str {
    match class {
        "good" => "<span class=\"mark\" role=\"img\" aria-label=\"holds\">✓</span> ",
        "bad" => "<span class=\"mark\" role=\"img\" aria-label=\"failed\">✗</span> ",
        "unknown" => "<span class=\"mark\" role=\"img\" aria-label=\"unknown\">?</span> ",
        "doubt" => "<span class=\"mark\" role=\"img\" aria-label=\"with a reservation\">~</span> ",
        _ => "<span class=\"mark\" role=\"img\" aria-label=\"neutral\">·</span> ",
    }
}

/// A place in the page.
pub(super) fn anchor(name: &str, nth: usize) -> String {
    let name: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    format!("s{}-{name}", nth + 1)
}
