//! What was checked before the first action, as one block: calm where all is ready.

use crate::engine::events::event::{Check, CheckKind, CheckState};

#[derive(Clone, Debug, Default)]
pub(in crate::report) struct Preflight {
    pub checks: Vec<Check>,
    /// It is over; the run starts.
    pub ok: bool,
    pub checked: u32,
    pub refused: u32,
}

impl Preflight {
    /// Those that are not simply ready, the refusals first.
    pub fn notable(&self) -> impl Iterator<Item = &Check> {
        let of = |state: CheckState| self.checks.iter().filter(move |check| check.state == state);
        [CheckState::Refused, CheckState::Expected, CheckState::IfReached, CheckState::NotChecked]
            .into_iter()
            .flat_map(of)
    }

    /// "6 checked, all ready", "2 of 6 refused, 1 expected from an earlier step".
    pub fn sum(&self) -> String {
        let count = |state: CheckState| self.checks.iter().filter(|check| check.state == state).count();
        let checked = self.checked;
        let mut words = match self.refused {
            0 if self.notable().next().is_none() => vec![format!("{checked} checked, all ready")],
            0 => vec![format!("{checked} checked"), format!("{} ready", count(CheckState::Ready))],
            refused => vec![format!("{refused} of {checked} refused")],
        };
        for (state, what) in [
            (CheckState::Expected, "expected from an earlier step"),
            (CheckState::IfReached, "only if reached"),
            (CheckState::NotChecked, "not checked"),
        ] {
            if count(state) > 0 {
                words.push(format!("{} {what}", count(state)));
            }
        }
        words.join(", ")
    }
}

/// "stop condition `The disk is full`".
pub(in crate::report) fn subject(check: &Check) -> String {
    let kind = match check.kind {
        CheckKind::Lock => "lock",
        CheckKind::Journal => "journal",
        CheckKind::Stop => "stop condition",
        CheckKind::Confirm => "confirmation",
        CheckKind::Secret => "secret",
        CheckKind::Program => "program",
        CheckKind::Backend => "backend",
        CheckKind::Shell => "shell",
    };
    if check.what.is_empty() || check.what == kind { kind.to_owned() } else { format!("{kind} {}", check.what) }
}

/// What its state is called.
pub(in crate::report) fn state(state: CheckState) -> &'static str {
    match state {
        CheckState::Ready => "ready",
        CheckState::Expected => "expected",
        CheckState::IfReached => "if reached",
        CheckState::NotChecked => "not checked",
        CheckState::Refused => "refused",
    }
}

/// "refused: not found in PATH". A reason that begins with the state's own words is not doubled.
pub(in crate::report) fn finding(check: &Check) -> String {
    let state = state(check.state);
    match &check.reason {
        Some(reason) if reason.starts_with(state) => reason.clone(),
        Some(reason) => format!("{state}: {reason}"),
        None => state.to_owned(),
    }
}
