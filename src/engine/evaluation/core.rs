//! What `exec` and `dry-run` share: a program, the parts of the world that can be looked at, and the way out for events.
//!
//! There is nothing in here that could change the world.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::check::program::{Program, Step, Stmt, VERDICT, Var};
use crate::diagnostic::Span;
use crate::value::{Answer, UnknownCause, Value, recorded};

use super::facts::Changed;
use super::kept::Kept;
use super::scope::{Bound, Scope, Slots};
use crate::engine::events::emit::Emitter;
use crate::engine::events::event::{Body, Part, Place};
use crate::engine::redact::Redactor;
use crate::engine::risk::Risks;
use crate::engine::world::{Look, Trust, Vouch};

/// The engine's state for one run.
pub struct Core {
    pub program: Arc<Program>,
    pub look: Arc<dyn Look>,
    pub vouch: Arc<dyn Vouch>,
    pub trust: Trust,
    pub emitter: Emitter,
    pub slots: Slots,
    /// In a dry run: what the actions left out so far would have changed. When a run is gone on with: what was done since.
    pub changed: Option<Changed>,
    /// In a dry run: where the run would end, or may.
    pub foresight: Mutex<Foresight>,
    /// The accepted risks that are in force.
    pub risks: Risks,
    /// What happens is kept, so that the run can be gone on with.
    pub recording: bool,
    /// Secrets of the top level that were read, so that each is read once.
    pub secrets: tokio::sync::Mutex<std::collections::HashMap<Var, Kept>>,
    /// The variables that secrets are read from: commands do not inherit them.
    pub withheld: RwLock<Arc<[Arc<str>]>>,
}

/// What a dry run has found about the end of the run.
#[derive(Debug, Default)]
pub struct Foresight {
    /// The step in which it would end as things stand, and why.
    ends: Option<(Arc<str>, String)>,
    /// It may end before: what has to hold by then.
    doubt: Option<Arc<str>>,
}

/// Where in a run something happens: what every event and question carries along.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub step: Option<Arc<str>>,
    pub part: Option<Part>,
    /// When the step began; when it was begun again, that time.
    pub began: Option<jiff::Timestamp>,
    /// In a dry run: what it hangs on whether this happens at all.
    pub possible: Option<Arc<str>>,
    /// The items of the loops of statements around it, as ids name them: `["api"]["eu"]`.
    pub keys: Arc<str>,
    /// The checklist that it stands on.
    pub checklist: Option<Arc<str>>,
    /// It is asked ahead of time: a secret that was not needed so far is not read for it.
    pub ahead: bool,
    pub scope: Scope,
}

impl Site {
    pub fn of(step: &Step) -> Self {
        Self { step: Some(step.name.clone()), ..Self::default() }
    }

    /// Behind the last step, where the verdict is found.
    pub fn of_verdict() -> Self {
        Self { step: Some(VERDICT.into()), ..Self::default() }
    }

    pub fn begun(&self, began: jiff::Timestamp) -> Self {
        Self { began: Some(began), ..self.clone() }
    }

    pub fn in_part(&self, part: Part) -> Self {
        Self { part: Some(part), checklist: None, ..self.clone() }
    }

    pub fn on_checklist(&self, title: Arc<str>) -> Self {
        Self { checklist: Some(title), ..self.clone() }
    }

    pub fn with(&self, var: Var, bound: Bound) -> Self {
        Self { scope: self.scope.with(var, bound), ..self.clone() }
    }

    /// Hanging on something unknown; what it hung on already stays.
    pub fn possibly(&self, why: impl Into<Arc<str>>) -> Self {
        let why = why.into();
        let possible = match &self.possible {
            Some(outer) => format!("{outer}, and {why}").into(),
            None => why,
        };
        Self { possible: Some(possible), ..self.clone() }
    }
}

impl Core {
    pub fn place(&self, site: &Site, span: Span) -> Place {
        let foresight = self.foresight();
        let not_reached = foresight.ends.as_ref().is_some_and(|(step, _)| {
            // What fails is handled, and what is `finally` is done.
            let still_runs = matches!(site.part, Some(Part::OnFailure | Part::Finally));
            site.step.is_some() && !(still_runs && site.step.as_ref() == Some(step))
        });
        let doubt = foresight.doubt.as_deref().filter(|_| site.step.is_some());
        let possible = match (site.possible.as_deref(), doubt) {
            (Some(possible), Some(doubt)) if !possible.contains(doubt) => Some(format!("{doubt}, and {possible}")),
            (possible, doubt) => possible.or(doubt).map(str::to_owned),
        };
        Place {
            step: site.step.as_deref().map(str::to_owned),
            expect: None,
            file: Some(self.program.sources.name(span).to_owned()),
            line: Some(self.program.sources.line(span)),
            part: site.part,
            checklist: site.checklist.as_deref().map(str::to_owned),
            possible,
            not_reached,
        }
    }

    pub fn emit(&self, site: &Site, span: Span, body: Body) {
        self.emitter.emit(self.place(site, span), body);
    }

    pub fn line(&self, span: Span) -> u32 {
        self.program.sources.line(span)
    }

    pub fn foresight(&self) -> MutexGuard<'_, Foresight> {
        self.foresight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run would come to this place, as things stand.
    pub fn reaches(&self) -> bool {
        self.foresight().ends.is_none()
    }

    /// Whether it may have ended before this place.
    pub fn doubted(&self) -> bool {
        self.foresight().doubt.is_some()
    }

    /// It goes on only if that is so.
    pub fn doubt(&self, unless: String) {
        self.foresight().doubt.get_or_insert(unless.into());
    }

    /// As things stand, the run ends in this step.
    pub fn end_here(&self, step: &Arc<str>, why: String) {
        self.foresight().ends.get_or_insert((step.clone(), why));
    }

    /// Where and why the run would end.
    pub fn ends(&self) -> Option<String> {
        self.foresight().ends.as_ref().map(|(step, why)| format!("step {step}: {why}"))
    }

    /// The words of the program at a span, on one line.
    pub fn words(&self, span: Span) -> String {
        self.program.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Learns a secret for redaction. One that can't be redacted honestly is refused: it becomes unknown.
    pub fn learn(&self, name: &str, value: &Value) -> Result<(), Answer> {
        self.emitter.redactor().learn(name, value).map_err(|why| Answer::unknown(UnknownCause::Invalid, why))
    }

    /// Commands do not inherit this variable.
    pub fn withhold(&self, variable: Arc<str>) {
        let mut withheld = self.withheld.write().unwrap_or_else(PoisonError::into_inner);
        if !withheld.contains(&variable) {
            *withheld = withheld.iter().cloned().chain([variable]).collect();
        }
    }

    pub fn withheld(&self) -> Arc<[Arc<str>]> {
        self.withheld.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A step is left out, since its `when` is known to be false: what it would have bound is absent.
    pub fn leave_out(&self, step: &Step) {
        let words = step.when.as_ref().map(|when| self.words(when.span)).unwrap_or_default();
        let absent = Answer::absent(format!("step {} was left out: `{words}` is false", step.name));
        for var in step.body.iter().flat_map(Stmt::binds) {
            self.slots.bind(var, absent.clone().into());
        }
    }

    /// Whether something was done, or, in a dry run, would have been: what was read before may be another now.
    pub fn has_acted(&self) -> bool {
        self.emitter.has_acted() || self.changed.as_ref().is_some_and(|changed| changed.latest().is_some())
    }

    /// An answer for the record, without secrets.
    pub fn recorded(&self, answer: &Answer) -> Option<serde_json::Value> {
        self.recording.then(|| recorded::write(answer, &|text| self.redactor().is_open(text)))
    }

    pub fn redactor(&self) -> &Arc<Redactor> {
        self.emitter.redactor()
    }
}
