//! A section of the page: a step with its rows, what was done, and what that printed.

use maud::{Markup, PreEscaped, html};

use crate::check::program::VERDICT;
use crate::engine::events::event::{Body, Confirmed, Event, Mode, Part, Resumed, StepOutcome, StopState, Undone};
use crate::engine::world::Stream;

use super::super::rough;
use super::super::run_model::{
    Collapsed, Entry, Item, Opened, Printed, Row, RowCounts, Section, Turn, blocks, is_text,
};
use super::super::texts::Lines;
use super::super::times::{time, wall};
use super::row::row;
use super::visible::{fact, mark, text};

/// So many lines of evidence are shown.
const SHOWN: usize = 200;

/// How a section looks: by what it came to, or by its rows.
pub(super) fn class(section: &Section, counts: &RowCounts, mode: Mode) -> &'static str {
    let outcome = section.closed.as_ref().and_then(|closed| closed.step()).map(|(outcome, ..)| outcome);
    match outcome {
        Some(StepOutcome::Passed) => "good",
        Some(StepOutcome::Recovered) => "doubt",
        Some(StepOutcome::Failed) => "bad",
        Some(StepOutcome::Skipped) => "plain",
        Some(StepOutcome::Planned) | None => match section.name() {
            _ if counts.blocking > 0 || section.has_refusal() => "bad",
            _ if counts.tolerated + counts.assumed > 0 => "doubt",
            Some(VERDICT) if mode == Mode::Exec => "good",
            _ => "plain",
        },
    }
}

/// `anchor`: its place in the page; `rows`: what is in it, as markup. Without a name it is no section, but what stands between
/// them.
pub(super) fn section(section: &Section, class: &str, anchor: &str, rows: &str) -> Markup {
    let rows = PreEscaped(rows);
    let Some(name) = section.name() else { return html! { (rows) } };
    let not_reached = section.head.as_ref().is_some_and(|head| head.not_reached);
    let classes = format!("step {class}{}", if not_reached { " unreached" } else { "" });
    let outcome = outcome(section);
    html! {
        section class=(classes) id=(anchor) {
            h2 {
                (mark(class)) a href={ "#" (anchor) } { (text(name)) }
                @if let Some(title) = section.title() { " " span.title { (text(title)) } }
                @if not_reached { " " span.title { "not reached" } }
            }
            "\n"
            @if !outcome.is_empty() { p.outcome { (text(&outcome)) } "\n" }
            @if let Some(Body::RollbackStarted { reason, .. }) = section.head.as_ref().map(|head| &head.event.get().body) {
                (part(reason))
            }
            (rows)
        }
        "\n"
    }
}

/// "failed, 1.2s: why"
fn outcome(section: &Section) -> String {
    let Some((outcome, reason, elapsed)) = section.closed.as_ref().and_then(|closed| closed.step()) else {
        return String::new();
    };
    let word = match outcome {
        StepOutcome::Passed => "passed",
        StepOutcome::Recovered => "recovered",
        StepOutcome::Failed => "failed",
        StepOutcome::Skipped => "skipped",
        StepOutcome::Planned => return reason.unwrap_or_default().to_owned(),
    };
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{word}, {}{reason}", time(elapsed))
}

/// What is in a section.
pub(super) fn rows(items: &[Item], lines: &Lines) -> Markup {
    html! {
        @for block in blocks(items) {
            @if let Some(title) = block.checklist {
                div.checklist {
                    h3 { "Checklist: " (text(title)) } "\n"
                    @for each in block.items { (item(each, lines)) }
                }
                "\n"
            } @else {
                @for each in block.items { (item(each, lines)) }
            }
        }
    }
}

fn item(item: &Item, lines: &Lines) -> Markup {
    match item {
        Item::Turn(Turn::Part(Part::OnFailure)) => part("on-failure"),
        Item::Turn(Turn::Part(Part::Finally)) => part("finally"),
        Item::Turn(Turn::Part(Part::Rollback)) => part("rollback"),
        Item::Turn(Turn::Possible(possible)) => part(possible),
        Item::Turn(Turn::Checklist(_)) => Markup::default(),
        Item::Printed(printed) => output(printed),
        Item::Entry(Entry::Opened(Opened { attempt, .. })) => part(&format!("attempt {attempt}")),
        Item::Entry(Entry::Row(event, over_time)) => match Row::of(event.get()) {
            Some(each) => row(each, over_time, lines),
            None => Markup::default(),
        },
        Item::Entry(Entry::Collapsed(collapsed)) => collapsed_rows(collapsed, lines),
        Item::Entry(Entry::ActionEnded { event, .. }) => action_ended(event.get()),
        Item::Entry(Entry::Told(event)) => told(event.get()),
        Item::Entry(_) => Markup::default(),
    }
}

fn collapsed_rows(collapsed: &Collapsed, lines: &Lines) -> Markup {
    html! {
        @for each in collapsed.rows.iter().filter_map(|event| Row::of(event.get())) {
            (row(each, &Default::default(), lines))
        }
    }
}

/// Words between the rows.
fn part(words: &str) -> Markup {
    html! { p.part { (text(words)) } "\n" }
}

/// Something that is in the way.
fn wrong(words: &str) -> Markup {
    html! { p.error { (mark("bad")) (text(words)) } "\n" }
}

fn action(words: &str, action: &str, class: &str) -> Markup {
    html! { p class={ "action " (class) } { span.mark { (words) } " " code { (text(action)) } } "\n" }
}

fn action_ended(event: &Event) -> Markup {
    match &event.body {
        Body::ActionEnded { error: Some(error), elapsed, .. } => wrong(&format!("{error}, {}", time(*elapsed))),
        _ => Markup::default(),
    }
}

/// What an action printed.
fn output(printed: &Printed) -> Markup {
    let Printed { lines, more, not_recorded } = printed;
    html! {
        @if !lines.is_empty() {
            pre.output {
                @for (stream, line) in lines {
                    @match stream {
                        Stream::Stderr => { span.err { (text(line)) } "\n" },
                        Stream::Stdout => { (text(line)) "\n" },
                    }
                }
                @if *not_recorded > 0 {
                    "… " (more) " more lines, " (rough(*not_recorded)) " of which are not in the journal\n"
                } @else if *more > 0 {
                    "… " (more) " more lines\n"
                }
            }
            "\n"
        }
    }
}

fn told(event: &Event) -> Markup {
    let place = &event.place;
    let planned = if place.not_reached { "planned unreached" } else { "planned" };
    match &event.body {
        Body::ActionStarted { action: words, .. } => action("$", words, "ran"),
        Body::ActionPlanned { action: words, .. } if place.not_reached => action("not reached", words, planned),
        Body::ActionPlanned { action: words, .. } => action("would run", words, planned),
        Body::ActionSkipped { action: words, .. } => action("not needed", words, planned),
        Body::ConfirmPlanned { text: what, role, .. } => html! {
            p class={ "action " (planned) } {
                span.mark { @if place.not_reached { "not reached" } @else { "would ask" } }
                " " (text(role)) ": " (text(what))
            }
            "\n"
        },
        Body::Confirmed(confirmed) => confirmation(confirmed),
        Body::Shown { text: what, value } => shown(what, value),
        Body::AskingAgain => part("asking again what failed"),
        Body::Retrying { attempt, of, after } => part(&format!("retry {attempt} of {of}, after {}", time(*after))),
        Body::Cancelled { reason } => wrong(reason),
        Body::StopHeld { reason, text: words, actual, .. } => html! {
            (wrong(reason))
            p.part { code { (text(words)) } ": " (text(actual)) } "\n"
        },
        Body::StopPredicted { reason, text: words, state, actual } => stop_predicted(reason, words, *state, actual),
        Body::RunEndsHere { certain, reason, then } => ends_here(*certain, reason, then),
        Body::Resumed(resumed) => resumption(resumed),
        Body::UndoStarted { title, .. } => {
            let step = place.step.as_deref().unwrap_or_default();
            part(&format!("undoing {step}: {title}"))
        }
        Body::UndoEnded(Undone { reason: Some(reason), .. }) => wrong(reason),
        _ => Markup::default(),
    }
}

/// Evidence. Of a text that the author wrote, it is the text.
fn shown(what: &str, value: &str) -> Markup {
    html! {
        @if !is_text(what) { p.shown { code { (text(what)) } } "\n" }
        pre.output { @for line in value.lines().take(SHOWN) { (text(line)) "\n" } } "\n"
    }
}

fn confirmation(confirmed: &Confirmed) -> Markup {
    let class = if confirmed.given { "good" } else { "bad" };
    let open = (!confirmed.given).then_some("");
    let at = confirmed.at.map(wall);
    let facts = [
        ("by", confirmed.by.as_deref()),
        ("as", Some(confirmed.role.as_str())),
        ("when", at.as_deref()),
        ("answer", confirmed.value.as_deref()),
        ("because", confirmed.reason.as_deref()),
        ("from", confirmed.source.as_deref()),
    ];
    html! {
        details class={ "row " (class) } open=[open] {
            summary { (mark(class)) (text(&confirmed.text)) }
            dl { @for (what, value) in facts { @if let Some(value) = value { (fact(what, value)) } } }
        }
        "\n"
    }
}

/// What a stop condition is now.
fn stop_predicted(reason: &str, words: &str, state: StopState, actual: &str) -> Markup {
    let (class, word) = match state {
        StopState::Quiet => ("good", "quiet now"),
        StopState::WouldStop => ("bad", "would stop now"),
        StopState::Unknown => ("unknown", "unknown"),
    };
    let open = (state != StopState::Quiet).then_some("");
    html! {
        details class={ "row " (class) } open=[open] {
            summary { (mark(class)) (word) ": stop " b { (text(reason)) } " " code { (text(words)) } }
            dl { (fact("found", actual)) }
        }
        "\n"
    }
}

fn ends_here(certain: bool, reason: &str, then: &[String]) -> Markup {
    let (class, words) = match certain {
        true => ("bad", "as things stand the run would stop here: "),
        false => ("doubt", "the run may stop here: "),
    };
    html! {
        p class={ "error " (class) } { (mark(class)) (words) (text(reason)) } "\n"
        @if !then.is_empty() { (part(&format!("then runs: {}", then.join(", ")))) }
    }
}

fn resumption(resumed: &Resumed) -> Markup {
    let (by, host, again) = (&resumed.by, &resumed.host, resumed.asked_again);
    html! {
        p.error.doubt {
            (mark("doubt")) "cut off at " (wall(resumed.cut_off)) ", resumed by " (text(by)) " on " (text(host)) "; "
            (again) " expects were asked again, and hold"
        }
        "\n"
        @if let Some(doubt) = &resumed.doubt {
            p.part {
                "in doubt: " code { (text(&doubt.action)) }
                @if doubt.done { " counts as done: " } @else { " is done again: " }
                (text(&doubt.because))
            }
            "\n"
        }
    }
}
