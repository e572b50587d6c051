//! `confirm` and `checklist`: what only a person knows.
//!
//! In: a statement, and the people of the world. Out: who answered, as which role, when and where, and what they typed; what is
//! not answered is not confirmed.

use std::sync::Arc;

use super::driver::Section;
use super::run_state::Execution;
use crate::check::program::{Confirm, Program, Stmt};
use crate::check::read_as;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::events::event::{Body, Confirmed};
use crate::engine::world::{Question, Reply, Wanted};
use crate::value::{Answer, Value};

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

/// Asks whom it may concern. Out: why it is not given, if it is not.
pub(super) async fn ask(run: &Execution<'_>, site: &Site, section: Section, confirm: &Confirm) -> Option<String> {
    let core = run.core;
    let question = question(site, confirm);
    let (text, role) = (question.text.clone(), question.role.clone());
    core.emit(site, confirm.span, Body::ConfirmAsked { text: text.clone(), role: role.clone() });
    core.emitter.shown().await;
    let reply = run.unless_ended(section, run.people.ask(question)).await.unwrap_or_else(Err);
    let mut confirmed = Confirmed {
        text: text.clone(),
        role: role.clone(),
        given: false,
        by: None,
        at: None,
        source: None,
        host: run.host.clone(),
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
                confirmed.reason = Some(format!("\"{text}\" was refused by {by} ({role})"));
            }
            confirmed.data = answer.as_ref().and_then(|answer| core.recorded(answer));
            (confirmed.given, confirmed.value) = (given, value);
            (confirmed.by, confirmed.at, confirmed.source) = (Some(by), Some(at), Some(source));
        }
        Err(why) => confirmed.reason = Some(format!("\"{text}\" was not confirmed by {role}: {why}")),
    }
    let refused = (!confirmed.given).then(|| confirmed.reason.clone().unwrap_or_default());
    core.emit(site, confirm.span, Body::Confirmed(Box::new(confirmed)));
    bind(core, confirm, answer);
    refused
}

/// Binds what was typed beside a yes.
pub(super) fn bind(core: &Core, confirm: &Confirm, answer: Option<Answer>) {
    if let (Some(wanted), Some(answer)) = (&confirm.answer, answer) {
        core.slots.bind(wanted.var, answer.into());
    }
}
