//! `confirm` and `checklist`: what only a person knows.
//!
//! In: a statement, and the people of the world. Out: who answered, as which role, when and where, and what they typed; what is
//! not answered is not confirmed.

use std::sync::Arc;

use crate::check::program::{Checklist, Confirm, Program, Stmt};
use crate::check::read_as;
use crate::value::{Answer, Value, recorded};

use super::exec::Exec;
use super::step::{Course, Halt, Within};
use crate::engine::evaluation::core::Site;
use crate::engine::events::event::{Body, Confirmed};
use crate::engine::events::past::What;
use crate::engine::world::{Question, Reply, Wanted};

/// What a `confirm` asks.
pub fn question(site: &Site, confirm: &Confirm) -> Question {
    question_of(site.step.as_deref().unwrap_or_default(), confirm)
}

fn question_of(step: &str, confirm: &Confirm) -> Question {
    let answer = confirm.answer.as_ref().map(|answer| {
        let (ty, matching) = (answer.ty.clone(), answer.matching.clone());
        let kind = match &matching {
            Some(pattern) => {
                let pattern = pattern.as_str().trim_start_matches("^(?:").trim_end_matches(")$");
                format!("a {ty} matching {pattern}")
            }
            None => format!("a {ty}"),
        };
        let wanted = kind.clone();
        let check = move |text: &str| {
            let fits = !text.trim().is_empty()
                && read_as(text, &ty).is_some()
                && matching.as_ref().is_none_or(|pattern| pattern.is_match(text));
            if fits { Ok(()) } else { Err(format!("`{text}` is not {wanted}")) }
        };
        Wanted { name: answer.name.to_string(), kind, check: Arc::new(check) }
    });
    Question {
        item: format!("{step}.{}", confirm.text),
        text: confirm.text.to_string(),
        role: confirm.role.to_string(),
        answer,
    }
}

/// All that a program asks people for.
pub fn questions(program: &Program) -> Vec<Question> {
    let mut all = Vec::new();
    for step in &program.steps {
        let parts = [Some(&step.body), step.on_failure.as_ref().map(|handler| &handler.body), step.finally.as_ref()];
        let rollback = step.rollback.as_ref().map(|rollback| &rollback.body);
        for part in parts.into_iter().chain([rollback]).flatten() {
            gather(part, &mut |confirm| all.push(question_of(&step.name, confirm)));
        }
    }
    all
}

fn gather(stmts: &[Stmt], take: &mut impl FnMut(&Confirm)) {
    for stmt in stmts {
        match stmt {
            Stmt::Confirm(confirm) => take(confirm),
            Stmt::Checklist(list) => list.confirmed.iter().for_each(&mut *take),
            Stmt::For(each) => gather(&each.body, take),
            Stmt::If(choice) => {
                choice
                    .branches
                    .iter()
                    .map(|(_, body)| body)
                    .chain(&choice.otherwise)
                    .for_each(|body| gather(body, take));
            }
            _ => {}
        }
    }
}

impl<'c> Exec<'c> {
    pub(super) async fn confirm(
        &self,
        course: &mut Course<'c>,
        confirm: &'c Confirm,
        site: &Site,
        within: Within,
    ) -> Result<(), Halt> {
        match self.answered(course, confirm, site, within).await? {
            None => Ok(()),
            Some(reason) => self.unhandled(course, site, within, reason, confirm.span).await,
        }
    }

    /// The program ticks what it sees; only where all of that holds are people asked, for all that is theirs, so that what is open
    /// is told at once.
    pub(super) async fn checklist(
        &self,
        course: &mut Course<'c>,
        list: &'c Checklist,
        site: &Site,
        within: Within,
    ) -> Result<(), Halt> {
        let site = &site.on_checklist(list.title.clone());
        if !list.seen.is_empty() {
            self.group(course, &list.seen, site, within).await?;
        }
        let mut open = Vec::new();
        for confirm in &list.confirmed {
            open.extend(self.answered(course, confirm, site, within).await?);
        }
        match open.len() {
            0 => Ok(()),
            _ => self.unhandled(course, site, within, open.join("; "), list.span).await,
        }
    }

    /// Asks whom it may concern. Out: why it is not given, if it is not.
    async fn answered(
        &self,
        course: &mut Course<'c>,
        confirm: &'c Confirm,
        site: &Site,
        within: Within,
    ) -> Result<Option<String>, Halt> {
        let fits = |what: &What| matches!(what, What::Confirmed { .. });
        let (given, reason, answer) = match self.recorded(course, "a confirmation", confirm.span, fits)? {
            Some(What::Confirmed { given, reason, data }) => (given, reason, data.as_ref().map(recorded::read)),
            _ => {
                let question = question(site, confirm);
                let (text, role) = (question.text.clone(), question.role.clone());
                self.core.emit(site, confirm.span, Body::ConfirmAsked { text: text.clone(), role: role.clone() });
                self.core.emitter.shown().await;
                let reply = self.looking(within, self.people.ask(question)).await.unwrap_or_else(Err);
                let mut told = Confirmed {
                    text: text.clone(),
                    role: role.clone(),
                    given: false,
                    by: None,
                    at: None,
                    source: None,
                    host: self.host.clone(),
                    value: None,
                    data: None,
                    reason: None,
                };
                let mut answer = None;
                match reply {
                    Ok(Reply { given, by, at, value, source }) => {
                        if let (Some(wanted), Some(value)) = (&confirm.answer, &value) {
                            let read = read_as(value, &wanted.ty).unwrap_or_else(|| Value::text(value.as_str()));
                            answer = Some(Answer::Known(read));
                        }
                        if !given {
                            told.reason = Some(format!("\"{text}\" was refused by {by} ({role})"));
                        }
                        told.data = answer.as_ref().and_then(|answer| self.core.recorded(answer));
                        (told.given, told.value) = (given, value);
                        (told.by, told.at, told.source) = (Some(by), Some(at), Some(source));
                    }
                    Err(why) => told.reason = Some(format!("\"{text}\" was not confirmed by {role}: {why}")),
                }
                let (given, reason) = (told.given, told.reason.clone().unwrap_or_default());
                self.core.emit(site, confirm.span, Body::Confirmed(Box::new(told)));
                (given, reason, answer)
            }
        };
        if let (Some(wanted), Some(answer)) = (&confirm.answer, answer) {
            self.core.slots.bind(wanted.var, answer.into());
        }
        Ok((!given).then_some(reason))
    }
}
