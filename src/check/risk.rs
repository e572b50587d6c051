//! What decides after the last step, and the risks that are accepted: from the tree to the program.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::diagnostic::{Code, Diagnostic, Span, did_you_mean};
use crate::syntax::tree::{self, ExprKind, ItemKind};
use crate::value::pattern::Pattern;

use super::names::{Checker, Ctx};
use super::program::{Decision, Risk, VERDICT};
use super::stmt::Ids;

/// What has to be said.
const ENTRIES: [&str; 4] = ["covers", "until", "approver", "reason"];

/// What may be said beside it.
const COVERS_UNKNOWN: &str = "covers-unknown";

impl Checker {
    pub(super) fn verdict(&mut self, main: usize) -> Option<Decision> {
        let items = std::mem::take(&mut self.units[main].tree.items);
        let mut decision: Option<Decision> = None;
        for item in &items {
            let ItemKind::Verdict(block) = &item.kind else { continue };
            let word = Span { end: item.span.start + 7, ..item.span };
            if let Some(first) = &decision {
                let first = Span { end: first.span.start + 7, ..first.span };
                self.error(
                    Diagnostic::new(Code::Duplicate, word, "a second `verdict` block")
                        .label("again here")
                        .also(first, "first here")
                        .help("what decides stands in one place"),
                );
                continue;
            }
            let mut ids = Ids::new();
            let ctx = Ctx { unit: main, ..Ctx::default() };
            let members = self.members(&ctx, block, &mut ids);
            if members.is_empty() && block.stmts.is_empty() {
                let message = "this `verdict` decides nothing";
                self.error(Diagnostic::new(Code::Misplaced, word, message).help("put the expects into it that decide"));
            }
            self.written.insert(VERDICT.into(), ids.into_keys().collect());
            decision = Some(Decision { members, span: item.span });
        }
        self.units[main].tree.items = items;
        decision
    }

    /// The accepted risks. `longest`: how far off their end may be.
    pub(super) fn risks(&mut self, main: usize, longest: SignedDuration) -> Vec<Risk> {
        let items = std::mem::take(&mut self.units[main].tree.items);
        let mut risks: Vec<Risk> = Vec::new();
        for item in &items {
            let ItemKind::AcceptRisk(risk) = &item.kind else { continue };
            let word = Span { end: item.span.start + 11, ..item.span };
            let title = match risk.title.plain() {
                Some(title) if !title.trim().is_empty() => title,
                _ => {
                    let message = "an accepted risk has a title, written out";
                    self.error(Diagnostic::new(Code::UnacceptableRisk, risk.title.span, message));
                    continue;
                }
            };
            if let Some(first) = risks.iter().find(|risk| risk.title == title) {
                let first = first.span;
                self.duplicate("accepted risk", &title, word, Span { end: first.start + 11, ..first });
            }
            risks.extend(self.risk(risk, title, word, item.span, longest));
        }
        self.units[main].tree.items = items;
        risks
    }

    fn risk(
        &mut self,
        risk: &tree::AcceptRisk,
        title: Arc<str>,
        word: Span,
        span: Span,
        longest: SignedDuration,
    ) -> Option<Risk> {
        let mut seen: HashMap<Arc<str>, Span> = HashMap::new();
        let mut covers_unknown = false;
        let (mut covers, mut until, mut approver, mut reason) = (None, None, None, None);
        for entry in &risk.entries {
            let name = &entry.name;
            if let Some(first) = seen.insert(name.text.clone(), name.span) {
                self.duplicate("entry", &name.text, name.span, first);
            }
            let wrong = |what: &str| {
                let message = format!("`{}` is {what}", name.text);
                Diagnostic::new(Code::TypeMismatch, entry.value.span, message)
            };
            let said = |text: &tree::StringLit| text.plain().filter(|text| !text.trim().is_empty());
            match (&*name.text, &entry.value.kind) {
                ("covers", ExprKind::List(items)) if !items.is_empty() => {
                    covers = Some(items.iter().filter_map(|item| self.covered(item)).collect());
                }
                ("covers", _) => self.error(wrong("a list of the expects that may fail: `[verdict.loki]`")),
                ("until", ExprKind::Time(time)) => until = Some((*time, entry.value.span)),
                ("until", _) => self.error(wrong("a date, such as `2027-03-01` or `2027-03-01T18:00:00+01:00`")),
                ("approver", ExprKind::String(text)) if said(text).is_some() => approver = said(text),
                ("approver", _) => self.error(wrong("a text: who answers for it")),
                ("reason", ExprKind::String(text)) if said(text).is_some() => reason = said(text),
                ("reason", _) => self.error(wrong("a text: why it can be lived with")),
                (COVERS_UNKNOWN, ExprKind::Bool(value)) => covers_unknown = *value,
                (COVERS_UNKNOWN, _) => self.error(wrong("`true` or `false`: whether what is unknown is covered, too")),
                (other, _) => {
                    let entries = || ENTRIES.into_iter().chain([COVERS_UNKNOWN]);
                    let help = match did_you_mean(other, entries()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("it has {}", entries().collect::<Vec<_>>().join(", ")),
                    };
                    let message = format!("an accepted risk has no entry `{other}`");
                    self.error(Diagnostic::new(Code::UnknownName, name.span, message).label("unknown").help(help));
                }
            }
        }
        let missing: Vec<&str> = ENTRIES.into_iter().filter(|entry| !seen.contains_key(*entry)).collect();
        if !missing.is_empty() {
            let message = format!("this risk is accepted without `{}`", missing.join("`, `"));
            let help = "say which expects it covers, until when, who answers for it, and why";
            self.error(Diagnostic::new(Code::UnacceptableRisk, word, message).help(help));
            return None;
        }
        let (until, at) = until?;
        let now = Timestamp::now();
        if until.duration_since(now) > longest {
            let days = longest.as_hours() / 24;
            let message = format!("this risk is accepted for more than {days} days");
            let help = format!("choose a nearer day, or allow it in the header: `longest-risk = {}d`", days * 2);
            self.error(Diagnostic::new(Code::UnacceptableRisk, at, message).label("too far off").help(help));
        }
        if until <= now {
            let message = format!("the accepted risk `{title}` has run out: it covers nothing any more");
            let help = "look whether it is still needed; if it is, accept it anew";
            self.error(Diagnostic::new(Code::RiskRanOut, at, message).label("in the past").help(help));
        }
        Some(Risk { title, covers: covers?, covers_unknown, until, approver: approver?, reason: reason?, span })
    }

    /// The id of a covered expect, or a pattern of ids.
    fn covered(&mut self, expr: &tree::Expr) -> Option<Arc<str>> {
        let text: Arc<str> = match &expr.kind {
            ExprKind::String(text) => text.plain()?,
            ExprKind::Name(_) | ExprKind::Chain { .. } => self.sources.text(expr.span).trim().into(),
            _ => {
                let message = "an expect is named by its id: `step.name`";
                self.error(Diagnostic::new(Code::TypeMismatch, expr.span, message));
                return None;
            }
        };
        let (step, rest) = text.split_once('.').unwrap_or((&text, ""));
        let Some(written) = self.written.get(step).cloned() else {
            if step.contains('*') {
                return Some(text);
            }
            let steps: Vec<String> = self.written.keys().map(|step| step.to_string()).collect();
            let help = match did_you_mean(step, steps.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "an id begins with the step's name, or with `verdict`".to_owned(),
            };
            let message = format!("there is no step `{step}` whose expects it could cover");
            self.error(Diagnostic::new(Code::UnknownStep, expr.span, message).label("unknown").help(help));
            return None;
        };
        let name: &str = rest.split(['.', '[']).next().unwrap_or_default();
        let pattern = Pattern::of_names(name);
        let covers = |written: &str| pattern.as_ref().is_ok_and(|pattern| pattern.is_match(written));
        if name.contains('*') && written.iter().any(|written| covers(written))
            || written.iter().any(|written| **written == *name)
        {
            return Some(text);
        }
        let help = match did_you_mean(name, written.iter().map(|written| &**written)) {
            Some(meant) => format!("did you mean `{step}.{meant}`?"),
            None => "only an expect with a written name can be covered: `expect name: …`".to_owned(),
        };
        let message = format!("no expect of `{step}` is named `{name}`");
        self.error(Diagnostic::new(Code::UnacceptableRisk, expr.span, message).label("unknown").help(help));
        None
    }
}
