//! Before the first action: everything that can be known ahead is checked, and all of it is said at once.

use super::run_state::Execution;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::events::event::{Body, Check, CheckKind, CheckState};
use crate::engine::options::Chosen;

/// Checks a run that is about to begin. Err: why it does not.
pub(super) async fn before_exec(run: &Execution<'_>, _chosen: &Chosen) -> Result<(), String> {
    let core = run.core;
    let mut checks = Vec::new();
    for (at, not_quiet) in run.stops.at_start(core, &run.cancel.gently).await {
        let Some(stop) = core.program.stops.get(at) else { continue };
        let title = not_quiet.title;
        let (state, reason) = match not_quiet.found {
            None => (CheckState::Ready, None),
            Some(found) => (CheckState::Refused, Some(format!("not quiet: {found}"))),
        };
        checks.push((stop.span, Check { kind: CheckKind::Stop, what: title, state, reason }));
    }
    conclude(core, checks)
}

fn conclude(core: &Core, checks: Vec<(crate::diagnostic::Span, Check)>) -> Result<(), String> {
    if checks.is_empty() {
        return Ok(());
    }
    core.emit(&Site::default(), core.program.span, Body::PreflightStarted);
    let checked = u32::try_from(checks.len()).unwrap_or(u32::MAX);
    let mut refused = Vec::new();
    for (span, check) in checks {
        if check.state == CheckState::Refused {
            let reason = check.reason.as_deref().unwrap_or_default();
            let place = format!("{}:{}", core.program.sources.name(span), core.line(span));
            refused.push(format!("{}: {reason} ({place})", check.what));
        }
        core.emit(&Site::default(), span, Body::PreflightChecked(Box::new(check)));
    }
    let ok = refused.is_empty();
    let count = u32::try_from(refused.len()).unwrap_or(u32::MAX);
    core.emit(&Site::default(), core.program.span, Body::PreflightEnded { ok, checked, refused: count });
    if ok { Ok(()) } else { Err(refused.join("; ")) }
}
