//! What an expect came to, told: as events, one a row, and in a line for whoever asks why a group failed.
//!
//! All that is told was found when it was asked; the author's own words and lines come first, those of a library behind them.

use crate::check::program::ExpectKind;
use crate::value::Truth;

use super::asked::Asked;
use super::finding::Finding;
use super::leaf::Leaf;
use crate::engine::evaluation::core::Core;
use crate::engine::evaluation::eval::Eval;
use crate::engine::events::event::{Body, ExpectResult, Seconds, State};
use crate::engine::wording::in_place;

/// What a row was asked in this place, where that is not just what was written.
pub fn asked_as(core: &Core, leaf: &Leaf<'_>, finding: &Finding) -> Option<String> {
    let field = match &leaf.expect.kind {
        ExpectKind::Block { fields, .. } => fields.iter().find(|field| field.span == finding.span),
        _ => None,
    };
    in_place::asked(core, leaf, field)
}

/// The words of its `else`, of one that failed. What they hold is looked up in what was asked then.
async fn message(core: &Core, asked: &Asked<'_>) -> Option<String> {
    match (&asked.leaf.timing.otherwise, asked.state()) {
        (Some((otherwise, site)), State::Differs | State::Unknown) => {
            Some(Eval::new(core, site, &asked.round).message(&otherwise.message).await)
        }
        _ => None,
    }
}

/// Tells what an expect came to: an event a row.
pub async fn report(core: &Core, asked: &Asked<'_>) {
    let leaf = &asked.leaf;
    let message = message(core, asked).await;
    let whole = in_place::whole(core, leaf);
    let warn = leaf.warns();
    let remark = asked.remark();
    for finding in &asked.findings {
        let state = asked.state_of(finding);
        let (reason, cause) = match &finding.truth {
            Truth::Unknown(unknown) if state == State::Unknown => {
                (Some(unknown.reason.to_string()), Some(unknown.cause))
            }
            _ => (None, None),
        };
        let mut place = leaf.place(core, &finding.id);
        let own = leaf.authors_line(finding.span);
        place.line = Some(core.line(own));
        place.file = Some(core.program.sources.name(own).to_owned());
        let row = place.expect.as_deref().unwrap_or_default();
        // Each is noted, also behind the first that is shared.
        let asker = leaf.authors_id();
        let shared: Vec<String> =
            finding.observed.iter().filter_map(|observed| observed.reported(asker, row)).collect();
        core.emitter.emit(
            place,
            Body::ExpectEnded(Box::new(ExpectResult {
                state,
                text: finding.text.clone(),
                asked: asked_as(core, leaf, finding),
                check: whole.clone(),
                via: Vec::new(),
                expected: finding.expected.clone(),
                actual: finding.actual.clone(),
                reason: remark.clone().filter(|_| state != State::Holds).or(reason),
                cause,
                diff: finding.diff.clone(),
                message: if state == State::Holds { None } else { message.clone() },
                warn,
                risk: leaf.risk.as_ref().map(|cover| cover.title.to_string()),
                waived: leaf.risk.as_ref().is_some_and(|cover| cover.accepts(state)) && !warn,
                named: leaf.expect.named,
                attempts: asked.attempts,
                elapsed: Seconds::from(asked.elapsed),
                within: leaf.timing.limits.within.map(Seconds::from),
                as_of_now: finding.outdated.map(|outdated| format!("line {} changes it", outdated.line)),
                assumed: None,
                shared: shared.into_iter().next(),
                inside: leaf.inside(core, finding.span),
                expected_value: finding.expected_value.clone(),
                actual_value: finding.actual_value.clone(),
            })),
        );
    }
}

/// Why a group fails, in a line: its first expect that blocks, and how many more do.
pub async fn reason(core: &Core, first: &Asked<'_>, more: usize) -> String {
    let told = match first.failing().next().or(first.findings.first()) {
        Some(finding) => row(core, first, finding, message(core, first).await),
        None => first.leaf.id.clone(),
    };
    match more {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

/// A row in a line: what the author calls it, what they say that it means, expected and found, and where they wrote it.
fn row(core: &Core, asked: &Asked<'_>, finding: &Finding, message: Option<String>) -> String {
    let leaf = &asked.leaf;
    // An id that was made up says nothing to its reader: the words that they wrote do.
    let words = || asked_as(core, leaf, finding).unwrap_or_else(|| finding.text.clone());
    let what = match leaf.checks.first() {
        Some(called) if called.label.is_some() => format!("{}: {}", leaf.authors_id(), words()),
        None if leaf.expect.named => format!("{}{}", leaf.id, finding.id),
        _ => words(),
    };
    let message = message.map(|message| format!("{message}: ")).unwrap_or_default();
    let remark = asked.remark().map(|remark| format!(", {remark}")).unwrap_or_default();
    let own = leaf.authors_line(finding.span);
    let inside = leaf.inside(core, finding.span);
    let inside = if inside.is_empty() { String::new() } else { format!(", inside {}", inside.join(", ")) };
    let (expected, actual) = (&finding.expected, &finding.actual);
    let (file, line) = (core.program.sources.name(own), core.line(own));
    format!("{what}: {message}expected {expected}, found {actual}{remark} ({file}:{line}{inside})")
}
