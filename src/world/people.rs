//! People: what only they know, asked on the terminal, or taken from a file in which they have answered before.
//!
//! In: the questions of a program. Out: who answered, as which role, when, and what. There is no answer that covers
//! everything: each item is answered by itself.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use toml::Spanned;

use crate::diagnostic::did_you_mean;
use crate::engine::world::{People, Question, Reply};

use super::prompt::line;

/// How old an answer may be when the run begins.
const FRESH: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far the clocks of two people may be apart.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// What was answered before the run.
#[derive(Debug, Default)]
pub struct Answers {
    file: String,
    answers: Vec<(String, Reply)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    answer: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// `step.What is to be confirmed`.
    item: Spanned<String>,
    role: Spanned<String>,
    by: String,
    at: Spanned<toml::value::Datetime>,
    confirmed: bool,
    value: Option<Spanned<String>>,
}

/// Why a file of answers is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    #[error("the answers `{file}` can't be read: {}", super::io_words(.source))]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file}:{line}: {why}")]
    Invalid { file: String, line: usize, why: String },
}

impl Answers {
    /// Reads a file of answers to these questions; says what is wrong with it, and in which line.
    pub fn read(path: &Path, questions: &[Question], now: Timestamp) -> Result<Self, AnswersError> {
        let shown = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| AnswersError::Unreadable { file: shown.clone(), source })?;
        let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let written: Written = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line(span.start));
            AnswersError::Invalid { file: shown.clone(), line, why: error.message().to_owned() }
        })?;
        let mut answers: Vec<(String, Reply)> = Vec::new();
        for entry in written.answer {
            let entry = entry.into_inner();
            let wrong =
                |at: usize, why: String| Err(AnswersError::Invalid { file: shown.clone(), line: line(at), why });
            let item = entry.item.get_ref();
            let Some(question) = questions.iter().find(|question| question.item == *item) else {
                let items: Vec<&str> = questions.iter().map(|question| question.item.as_str()).collect();
                let help = match did_you_mean(item, items.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if items.is_empty() => "it asks nobody".to_owned(),
                    None => format!("it asks for: {}", items.join("; ")),
                };
                return wrong(entry.item.span().start, format!("the runbook does not ask for `{item}`; {help}"));
            };
            if answers.iter().any(|(known, _)| known == item) {
                return wrong(entry.item.span().start, format!("`{item}` is answered twice"));
            }
            if *entry.role.get_ref() != question.role {
                let why = format!(
                    "`{item}` is to be confirmed by {}, and this answer is by {}",
                    question.role,
                    entry.role.get_ref()
                );
                return wrong(entry.role.span().start, why);
            }
            let Ok(at) = entry.at.get_ref().to_string().parse::<Timestamp>() else {
                let why = "when it was answered has a day, a time and an offset: `2027-03-01T10:00:00Z`".to_owned();
                return wrong(entry.at.span().start, why);
            };
            if at.duration_since(now) > AHEAD {
                return wrong(entry.at.span().start, format!("this answer is of {at}, which has not come yet"));
            }
            if now.duration_since(at) > FRESH {
                let days = FRESH.as_hours() / 24;
                return wrong(entry.at.span().start, format!("this answer is of {at}: older than {days} days"));
            }
            let value = entry.value.as_ref().map(|value| value.get_ref().clone());
            match (&question.answer, &entry.value) {
                (Some(wanted), None) if entry.confirmed => {
                    return wrong(
                        entry.item.span().start,
                        format!("`{item}` asks for `{}`: say it as `value`", wanted.name),
                    );
                }
                (Some(wanted), Some(value)) => {
                    if let Err(why) = (wanted.check)(value.get_ref()) {
                        return wrong(value.span().start, why);
                    }
                }
                (None, Some(value)) => {
                    return wrong(value.span().start, format!("`{item}` asks for no value beside its confirmation"));
                }
                (_, None) => {}
            }
            if entry.by.trim().is_empty() {
                return wrong(entry.item.span().start, format!("who answered `{item}` is not said"));
            }
            let source = shown.clone();
            answers.push((item.clone(), Reply { given: entry.confirmed, by: entry.by, at, value, source }));
        }
        Ok(Self { file: shown, answers })
    }
}

/// Asks who has answered before, then who sits at the terminal.
pub struct Asked {
    answers: Answers,
    user: String,
}

impl Asked {
    pub fn new(answers: Answers, user: String) -> Arc<Self> {
        Arc::new(Self { answers, user })
    }
}

impl People for Asked {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Reply, String>> {
        if let Some((_, reply)) = self.answers.answers.iter().find(|(item, _)| *item == question.item) {
            return std::future::ready(Ok(reply.clone())).boxed();
        }
        let before = match self.answers.file.as_str() {
            "" => "no `--answers` file was given".to_owned(),
            file => format!("`{file}` does not answer it"),
        };
        let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
            let why = format!("{before}, and there is no terminal to ask on");
            return std::future::ready(Err(why)).boxed();
        };
        let user = self.user.clone();
        let asking = Asking { given_up: Arc::default() };
        let given_up = asking.given_up.clone();
        async move {
            let told =
                tokio::task::spawn_blocking(move || at_the_terminal(terminal, &question, &user, &given_up)).await;
            drop(asking);
            told.unwrap_or_else(|_| Err("the terminal can't be read".to_owned()))
        }
        .boxed()
    }
}

/// Ends the reading when nobody waits for it any more.
struct Asking {
    given_up: Arc<AtomicBool>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

fn at_the_terminal(
    mut terminal: File,
    question: &Question,
    user: &str,
    given_up: &AtomicBool,
) -> Result<Reply, String> {
    let _aside = crate::terminal::aside();
    let mut ask = |words: &str| -> Result<String, String> {
        let failed = |error: std::io::Error| format!("the terminal can't be asked: {}", super::io_words(&error));
        write!(terminal, "\r\x1b[K    {words}").and_then(|()| terminal.flush()).map_err(failed)?;
        let bytes = line(terminal.try_clone().map_err(failed)?, given_up).map_err(failed)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(_) => Ok(String::new()),
        }
    };
    let nobody = || Err("nobody answered on the terminal".to_owned());
    let mut given = None;
    for _ in 0..5 {
        match ask(&format!("as {}, yes or no: ", question.role))?.to_lowercase().as_str() {
            "yes" | "y" => given = Some(true),
            "no" | "n" => given = Some(false),
            _ if given_up.load(Ordering::Relaxed) => return nobody(),
            _ => continue,
        }
        break;
    }
    let Some(given) = given else { return nobody() };
    let name = ask(&format!("your name [{user}]: "))?;
    let by = if name.is_empty() { user.to_owned() } else { name };
    let mut value = None;
    if let (true, Some(wanted)) = (given, &question.answer) {
        for _ in 0..5 {
            let typed = ask(&format!("{} ({}): ", wanted.name, wanted.kind))?;
            match (wanted.check)(&typed) {
                Ok(()) => {
                    value = Some(typed);
                    break;
                }
                Err(_) if given_up.load(Ordering::Relaxed) => return nobody(),
                Err(why) => drop(write!(terminal_of()?, "\r\x1b[K    {why}\n")),
            }
        }
        if value.is_none() {
            return nobody();
        }
    }
    Ok(Reply { given, by, at: Timestamp::now(), value, source: "terminal".to_owned() })
}

fn terminal_of() -> Result<File, String> {
    OpenOptions::new().write(true).open("/dev/tty").map_err(|_| "the terminal is gone".to_owned())
}
