//! The page around the sections: its head, the way to each step with the time it took, the facts of the run.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::engine::events::event::{Body, Event};

use super::super::run_model::{RowCounts, counted};
use super::super::times::{time, wall};
use super::visible::{fact, mark, text};

const STYLE: &str = include_str!("style.css");

/// Tags without an end, as HTML and XML both read them. Nothing is loaded from anywhere, and nothing is run.
const META: PreEscaped<&str> = PreEscaped(
    "<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
     <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n",
);
const ONLY: PreEscaped<&str> = PreEscaped("<input type=\"checkbox\" id=\"only\"/>");

/// A section, on the way through the page.
pub(super) struct Stage {
    pub anchor: String,
    pub class: &'static str,
    pub name: String,
    pub what: Course,
}

/// What is said of a section on the way to it.
pub(super) enum Course {
    /// When it began and ended, in seconds of the run.
    Took(f64, f64),
    /// How many actions it would run, and what its expects are now.
    Would(u32, RowCounts),
}

/// What stands on the page. `head` and `body` are markup already.
pub(super) struct Whole<'p> {
    pub title: &'p str,
    pub head: Markup,
    pub facts: &'p [(&'static str, String)],
    pub stages: &'p [Stage],
    pub body: &'p str,
}

impl Whole<'_> {
    pub fn page(&self) -> Markup {
        html! {
            (DOCTYPE) "\n"
            html lang="en" {
                "\n"
                head {
                    "\n" (META)
                    title { (text(self.title)) } "\n"
                    style { "\n" (PreEscaped(STYLE)) } "\n"
                }
                "\n"
                body {
                    "\n"
                    header {
                        "\n"
                        h1 { (text(self.title)) } "\n"
                        (self.head)
                        details.facts {
                            summary { "The run" }
                            dl { @for (name, value) in self.facts { (fact(name, value)) } }
                        }
                        "\n"
                    }
                    "\n"
                    div.all {
                        (ONLY) label for="only" { "only what does not hold" } "\n"
                        nav aria-label="Steps" { ol { "\n" (stages(self.stages)) } } "\n"
                        main { "\n" (PreEscaped(self.body)) }
                    }
                    "\n"
                }
                "\n"
            }
            "\n"
        }
    }
}

/// The steps, each with its place in the time of the run.
fn stages(stages: &[Stage]) -> Markup {
    let ends = stages.iter().map(|stage| match stage.what {
        Course::Took(_, end) => end,
        Course::Would(..) => 0.0,
    });
    let end = ends.fold(f64::MIN_POSITIVE, f64::max);
    html! {
        @for Stage { anchor, class, name, what } in stages {
            li class=(class) {
                span.to { (mark(class)) a href={ "#" (anchor) } { (text(name)) } }
                @match what {
                    Course::Took(from, to) => {
                        @let (left, width) = (from / end * 100.0, (to - from) / end * 100.0);
                        span.bar aria-hidden="true" { i style=(format!("left:{left:.2}%;width:{width:.2}%")) {} }
                        span.took { (time(std::time::Duration::try_from_secs_f64(to - from).unwrap_or_default().into())) }
                    },
                    Course::Would(actions, counts) => { span.would { (would(*actions, counts)) } },
                }
            }
            "\n"
        }
    }
}

fn would(actions: u32, counts: &RowCounts) -> String {
    let RowCounts { held, differed, unknown, assumed, accepted, not_reached, .. } = *counts;
    counted(&[
        (actions, "would run"),
        (held, "hold now"),
        (differed, "differ now"),
        (unknown, "unknown"),
        (assumed, "assumed"),
        (accepted, "accepted"),
        (not_reached, "not reached"),
    ])
    .replace(", ", " · ")
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

/// A place in the page.
pub(super) fn anchor(name: &str, nth: usize) -> String {
    let name: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    format!("s{}-{name}", nth + 1)
}
