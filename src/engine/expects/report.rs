//! What an expect came to, told as events: one a row.

use crate::check::program::ExpectKind;
use crate::value::Truth;

use super::asked::Asked;
use super::finding::Finding;
use super::leaf::Leaf;
use crate::engine::evaluation::ask::Round;
use crate::engine::evaluation::core::Core;
use crate::engine::evaluation::eval::Eval;
use crate::engine::events::event::{Body, ExpectResult, Seconds, State};
use crate::engine::wording::in_place;

/// What a row was asked in this place, where that is not just what was written.
pub async fn asked_as(core: &Core, leaf: &Leaf<'_>, finding: &Finding) -> Option<String> {
    let field = match &leaf.expect.kind {
        ExpectKind::Block { fields, .. } => fields.iter().find(|field| field.span == finding.span),
        _ => None,
    };
    in_place::asked(&Eval::new(core, &leaf.site, &Round::new()), leaf, field).await
}

/// Tells what an expect came to: an event a row.
pub async fn report(core: &Core, asked: &Asked<'_>) {
    let leaf = &asked.leaf;
    let message = match &leaf.timing.otherwise {
        Some((otherwise, site)) if !asked.holds() => {
            Some(Eval::new(core, site, &Round::new()).message(&otherwise.message).await)
        }
        _ => None,
    };
    let whole = in_place::whole(&Eval::new(core, &leaf.site, &Round::new()), leaf).await;
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
        let asked_as = asked_as(core, leaf, finding).await;
        let mut place = leaf.place(core, &finding.id);
        place.line = Some(core.line(finding.span));
        place.file = Some(core.program.sources.name(finding.span).to_owned());
        core.emitter.emit(
            place,
            Body::ExpectEnded(Box::new(ExpectResult {
                state,
                text: finding.text.clone(),
                asked: asked_as,
                check: whole.clone(),
                via: in_place::via(&Eval::new(core, &leaf.site, &Round::new()), leaf),
                expected: finding.expected.clone(),
                actual: finding.actual.clone(),
                reason: remark.clone().filter(|_| state != State::Holds).or(reason),
                cause,
                diff: finding.diff.clone(),
                message: if state == State::Holds { None } else { message.clone() },
                warn,
                risk: leaf.risk.as_deref().map(str::to_owned),
                waived: leaf.risk.is_some() && matches!(state, State::Differs | State::Unknown) && !warn,
                named: leaf.expect.named,
                attempts: asked.attempts,
                elapsed: Seconds::from(asked.elapsed),
                within: leaf.timing.limits.within.map(Seconds::from),
                as_of_now: finding.outdated.map(|outdated| format!("line {} changes it", outdated.line)),
                assumed: None,
                shared: None,
                inside: Vec::new(),
                expected_value: None,
                actual_value: None,
            })),
        );
    }
}
