//! The head of the page: what the run came to, what is in the way, what was checked before it.

use maud::{Markup, html};

use crate::engine::events::event::{Accepted, Body, CheckState, Event};

use super::super::run_model::{Decision, Preflight, StatesNow, Tone, finding, subject, undone_words};
use super::super::times::time;
use super::visible::{mark, text};

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Doubtful => "doubt",
    }
}

fn headline(class: &str, words: &str, counts: &str) -> Markup {
    html! {
        p class={ "decision " (class) } { (mark(class)) strong { (words) } } "\n"
        p.counts { (text(counts)) } "\n"
    }
}

/// The verdict of a run, or of its rollback.
pub(super) fn verdict(event: &Event) -> Markup {
    let Some(decision) = Decision::of(event) else { return Markup::default() };
    let word = if decision.has_risks() { "GO with accepted risks" } else { decision.word() };
    let took = time(decision.elapsed);
    let counts = match decision.is_of_rollback() {
        true => format!("{} · {took}", decision.undone_counts()),
        false => {
            let (steps, expects) = decision.all_counts();
            format!("steps: {steps} · expects: {expects} · {took}")
        }
    };
    let undone: Vec<String> = decision.undone.iter().map(undone_words).collect();
    html! {
        (headline(class(decision.tone()), word, &counts))
        @if decision.is_of_rollback() {
            (list("Rollback", class(decision.tone()), decision.reasons))
        } @else {
            (list("Reasons", "bad", decision.reasons))
        }
        (list("Recovered", "doubt", decision.recovered))
        (accepted(decision.accepted))
        (list("Undone", "doubt", &undone))
        (list("Warnings", "doubt", decision.warnings))
    }
}

fn accepted(risks: &[Accepted]) -> Markup {
    html! {
        @if !risks.is_empty() {
            h2 { "Accepted risks" } "\n"
            div.wide {
                table {
                    thead { tr { @for name in ["risk", "expects", "until", "approver", "reason"] { th { (name) } } } }
                    tbody {
                        "\n"
                        @for Accepted { risk, expects, until, approver, reason } in risks {
                            tr {
                                td { (text(risk)) }
                                td { (text(expects.join(", "))) }
                                td.day { (until.strftime("%Y-%m-%d").to_string()) }
                                td { (text(approver)) }
                                td { (text(reason)) }
                            }
                            "\n"
                        }
                    }
                }
            }
            "\n"
        }
    }
}

fn list(title: &str, class: &str, items: &[String]) -> Markup {
    html! {
        @if !items.is_empty() {
            h2 { (title) } "\n"
            ul class=(class) {
                "\n"
                @for item in items { li { (mark(class)) (text(item)) } "\n" }
            }
            "\n"
        }
    }
}

/// Of a run that has no verdict.
pub(super) fn unfinished(why: &str, preflight: Option<&Preflight>) -> Markup {
    match preflight {
        Some(preflight) if !preflight.ok && preflight.checked > 0 => {
            headline("bad", "Not run", &format!("preflight: {}", preflight.sum()))
        }
        _ => headline("doubt", "No verdict", why),
    }
}

/// What a dry run comes to.
pub(super) fn summary(event: &Event) -> Markup {
    let Body::Summary { actions, expects, as_of_now, probes, elapsed, actions_not_reached, ends, .. } = &event.body
    else {
        return Markup::default();
    };
    let counts = StatesNow::from(expects).words();
    let not_reached = match actions_not_reached {
        0 => String::new(),
        count => format!(", {count} more not reached"),
    };
    let counts = format!(
        "Nothing was changed. {actions} actions would be run{not_reached} · expects: {counts}, {as_of_now} of them as of now \
         · {probes} probes · {}",
        time(*elapsed)
    );
    html! {
        (headline("plain", "Dry run", &counts))
        @if let Some(ends) = ends {
            p.error { (mark("bad")) "as things stand the run would stop: " (text(ends)) } "\n"
        }
    }
}

/// What was checked before the first action: a line where all is ready.
pub(super) fn preflight(preflight: &Preflight) -> Markup {
    let class = if preflight.ok { "good" } else { "bad" };
    let open = (!preflight.ok).then_some("");
    html! {
        details class={ "facts preflight " (class) } open=[open] {
            summary { (mark(class)) "Preflight: " (preflight.sum()) }
            ul {
                "\n"
                @for check in preflight.notable() {
                    @let class = match check.state {
                        CheckState::Refused => "bad",
                        CheckState::IfReached => "unknown",
                        _ => "plain",
                    };
                    li class=(class) { (mark(class)) (text(subject(check))) ": " (text(finding(check))) } "\n"
                }
                @for check in preflight.checks.iter().filter(|check| check.state == CheckState::Ready) {
                    li.good { (mark("good")) (text(subject(check))) ": " (text(finding(check))) } "\n"
                }
            }
        }
        "\n"
    }
}
