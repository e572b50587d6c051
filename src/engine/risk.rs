//! Accepted risks: which expects may fail without being in the way, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::check::program::{Program, Risk};

use crate::engine::events::event::{Accepted, State};

/// How long before its end a risk is told to run out.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The risks of a program that are in force.
#[derive(Debug, Default)]
pub struct Risks(Vec<(Cover, Vec<Covers>)>);

/// The accepted risk that covers an expect.
#[derive(Clone, Debug)]
pub struct Cover {
    pub title: Arc<str>,
    /// `covers-unknown = true`: what is unknown is covered, too.
    unknown: bool,
}

impl Cover {
    /// Whether what came to this is accepted. What was cut short never is: nobody knows what was accepted then.
    pub fn accepts(&self, state: State) -> bool {
        match state {
            State::Differs => true,
            State::Unknown => self.unknown,
            State::Holds | State::Undecided => false,
        }
    }
}

#[derive(Debug)]
enum Covers {
    /// An id, and those that go on where it ends.
    Id(Arc<str>),
    Pattern(crate::value::pattern::Pattern),
}

impl Covers {
    fn of(text: &Arc<str>) -> Self {
        // Brackets are part of ids: only `*` stands for many.
        let escaped = text.replace('[', "[[]");
        let glob = text.contains('*').then(|| crate::value::pattern::Pattern::of_names(&escaped));
        match glob {
            Some(Ok(glob)) => Covers::Pattern(glob),
            _ => Covers::Id(text.clone()),
        }
    }

    fn covers(&self, id: &str) -> bool {
        match self {
            Covers::Id(covered) => {
                id.strip_prefix(&**covered).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            }
            Covers::Pattern(pattern) => pattern.is_match(id),
        }
    }
}

impl Risks {
    pub fn in_force(program: &Program, now: Timestamp) -> Self {
        let risks = program.risks.iter().filter(|risk| risk.until > now);
        let cover = |risk: &Risk| Cover { title: risk.title.clone(), unknown: risk.covers_unknown };
        Self(risks.map(|risk| (cover(risk), risk.covers.iter().map(Covers::of).collect())).collect())
    }

    /// The risk that covers this expect.
    pub fn covering(&self, id: &str) -> Option<Cover> {
        self.0.iter().find(|(_, covers)| covers.iter().any(|covers| covers.covers(id))).map(|(cover, _)| cover.clone())
    }
}

/// What the covered expects came to, by risk and id, as each was told last: a fold over events.
pub type Used = BTreeMap<String, BTreeMap<String, State>>;

/// The risks that stood in the way of a NO-GO, and what is to be said of the others.
///
/// `whole`: all that there was to ask was asked.
pub fn account(program: &Program, used: &Used, now: Timestamp, whole: bool) -> (Vec<Accepted>, Vec<String>) {
    let (mut accepted, mut remarks) = (Vec::new(), Vec::new());
    for risk in &program.risks {
        let title = &risk.title;
        let day = risk.until.strftime("%Y-%m-%d");
        if risk.until <= now {
            remarks.push(format!("accepted risk \"{title}\" ran out on {day}: it covers nothing any more"));
            continue;
        }
        let rows = used.get(&**title);
        let accepts = |state| Cover { title: title.clone(), unknown: risk.covers_unknown }.accepts(state);
        let expects: Vec<String> =
            rows.into_iter().flatten().filter(|(_, state)| accepts(**state)).map(|(id, _)| id.clone()).collect();
        let open = rows.into_iter().flatten().any(|(_, state)| *state != State::Holds && !accepts(*state));
        match rows {
            None if whole => remarks.push(format!(
                "accepted risk \"{title}\" covers nothing that was asked: {}",
                risk.covers.iter().map(|covers| &**covers).collect::<Vec<_>>().join(", ")
            )),
            Some(_) if expects.is_empty() && !open => {
                remarks.push(format!("accepted risk \"{title}\" is not needed any more: what it covers holds"));
            }
            _ => {}
        }
        let left = risk.until.duration_since(now);
        if left <= SOON {
            let days = left.as_hours() / 24;
            let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
            remarks.push(format!("accepted risk \"{title}\" runs out on {day}, in {days}"));
        }
        if !expects.is_empty() {
            accepted.push(Accepted {
                risk: title.to_string(),
                expects,
                until: risk.until,
                approver: risk.approver.to_string(),
                reason: risk.reason.to_string(),
            });
        }
    }
    (accepted, remarks)
}
