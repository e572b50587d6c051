//! Asking the world: a native's arguments become a [`Request`], and within one round of asking the same request is made
//! once, however many expects want to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::check::program::{Effect, KeyArg, KeyPattern, Native, NativeParam, ParamRole, Role};
use crate::diagnostic::Span;
use crate::value::{Answer, Type, UnknownCause, Value, display};

use super::core::{Core, Site};
use super::facts::FactKey;
use super::observation::Observation;
use crate::engine::events::event::{Body, Seconds};
use crate::engine::redact::with_sealed_lines;
use crate::engine::world::{ArgValue, Confinement, Request};

/// How long a question may take when its native declares nothing.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// How long an action may take when its native declares nothing.
pub const DEFAULT_ACTION_LIMIT: Duration = Duration::from_secs(600);

/// How many different questions one round remembers.
const MOST: usize = 4096;

/// A request that is under way, or answered: with how it was held, if it was a vouched one.
type Question = Shared<BoxFuture<'static, (Answer, Option<Confinement>)>>;

/// One round of asking: what was asked in it, and the answers.
#[derive(Default)]
pub struct Round {
    asked: Mutex<HashMap<String, (Question, Observation)>>,
}

impl Round {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a request, or waits for the same one that is under way.
    pub async fn ask(
        &self,
        core: &Core,
        site: &Site,
        span: Span,
        mut request: Request,
        shown: &str,
    ) -> (Answer, Observation) {
        if !core.look.heeds_wants(&request.native) {
            request.wants = None;
        }
        if request.native.role == Some(Role::Typed) {
            core.emitter.shown().await;
        }
        let key = fingerprint(&request);
        let limit = request.limit;
        let ((question, observation), first) = {
            let mut asked = self.asked.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match asked.get(&key) {
                Some(question) => (question.clone(), false),
                None => {
                    // Of very many questions, those that are answered make room: who wants to know asks again.
                    if asked.len() >= MOST {
                        asked.retain(|_, (question, _)| question.peek().is_none());
                    }
                    let question = (put(core, request).shared(), Observation::default());
                    asked.insert(key, question.clone());
                    (question, true)
                }
            }
        };
        let began = tokio::time::Instant::now();
        // The backends keep the limit themselves and say more; this holds should one of them fail to.
        let (answer, confinement) = match tokio::time::timeout(limit + Duration::from_secs(2), question).await {
            Ok(answered) => answered,
            Err(_) => {
                let limit = display::duration_text(limit.try_into().unwrap_or_default());
                (Answer::unknown(UnknownCause::NoAnswer, format!("no answer within {limit}")), None)
            }
        };
        if first {
            core.redactor().learn_sealed(&answer);
            let unknown = match &answer {
                Answer::Unknown(unknown) => Some(unknown.reason.to_string()),
                _ => None,
            };
            let elapsed = Seconds::from(began.elapsed());
            core.emit(site, span, Body::Probed { call: shown.to_owned(), confinement, elapsed, unknown });
        }
        // What was not asked is no observation that anyone could share.
        let observation = if confinement == Some(Confinement::NotAsked) { Observation::default() } else { observation };
        (answer, observation)
    }
}

fn put(core: &Core, request: Request) -> BoxFuture<'static, (Answer, Option<Confinement>)> {
    match request.native.effect {
        Effect::Vouched => {
            let asked = core.vouch.ask(request, core.trust);
            async move {
                let (answer, confinement) = asked.await;
                (with_sealed_lines(answer), Some(confinement))
            }
            .boxed()
        }
        _ => {
            let asked = core.look.look(request);
            async move { (with_sealed_lines(asked.await), None) }.boxed()
        }
    }
}

/// What makes two requests the same. Holds secrets in the clear: it never leaves the round.
fn fingerprint(request: &Request) -> String {
    use std::fmt::Write as _;
    let mut key = String::from(&*request.native.name);
    for (name, arg) in &request.args {
        let _ = match arg {
            ArgValue::Value(value) => write!(key, "\u{0}{name}={}", value.to_json(true)),
            ArgValue::Shell(command) => {
                let _ = write!(key, "\u{0}{name}={}", command.source);
                command.env.iter().try_for_each(|(name, value)| write!(key, "\u{0}{name}={}", value.to_json(true)))
            }
        };
    }
    let _ = write!(key, "\u{0}{:?}", request.wants);
    key
}

/// Makes `value` what a parameter of type `ty` takes; says what is wrong with it where it can't be.
///
/// Paths become absolute; text that names nothing is refused where a path is needed.
pub fn coerce(value: Value, ty: &Type, root: &std::path::Path) -> Result<Value, String> {
    if let Value::Secret(sealed) = &value {
        let inner = coerce(sealed.reveal().clone(), ty, root)
            .map_err(|_| format!("the secret `{}` is not {}", sealed.name(), article(ty)))?;
        return Ok(Value::Secret(crate::value::Sealed::new(sealed.name().clone(), inner)));
    }
    match (ty, value) {
        (Type::Path, Value::Text(text)) if text.is_empty() => {
            Err("an empty path: it would mean the project's whole folder".to_owned())
        }
        (Type::Path, Value::Text(text)) => match root.join(&*text).to_str() {
            Some(path) => Ok(Value::text(path)),
            None => Err("the project's folder has a name that is not UTF-8".to_owned()),
        },
        (Type::String | Type::Url, value @ Value::Text(_)) => Ok(value),
        // A program with its arguments, in place of a text for the shell.
        (Type::Shell, value) => coerce(value, &Type::list(Type::String), root),
        (Type::Names(kind), value) => names_of(&value, kind).map(Value::list),
        (Type::String, value) => value
            .to_text()
            .map(Value::Text)
            .ok_or_else(|| format!("{} is needed, and this is {}", article(ty), value.kind())),
        (Type::List(of), Value::List(items)) => {
            items.iter().map(|item| coerce(item.clone(), of, root)).collect::<Result<Vec<_>, _>>().map(Value::list)
        }
        (Type::Map(of), Value::Map(map)) => {
            let entries = map
                .entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), coerce(value.clone(), of, root)?)))
                .collect::<Result<Vec<_>, String>>()?;
            Ok(Value::map(entries))
        }
        (Type::Any | Type::Json | Type::Item, value) => Ok(value),
        (Type::Bool, value @ Value::Bool(_))
        | (Type::Number, value @ Value::Number(_))
        | (Type::Duration, value @ Value::Duration(_))
        | (Type::Size, value @ Value::Size(_))
        | (Type::Percent, value @ Value::Percent(_))
        | (Type::Time, value @ Value::Time(_))
        | (Type::Record(_), value @ Value::Record(_)) => Ok(value),
        (ty, value) => Err(format!("{} is needed, and this is {}", article(ty), value.kind())),
    }
}

/// The names of what is meant: a text, a record that has a name, or a list of these.
fn names_of(value: &Value, kind: &str) -> Result<Vec<Value>, String> {
    match value.unsealed() {
        Value::List(items) => {
            let names = items.iter().map(|item| names_of(item, kind)).collect::<Result<Vec<_>, _>>()?;
            Ok(names.into_iter().flatten().collect())
        }
        Value::Record(record) if &*record.name == kind => match record.get("name") {
            Some(Answer::Known(name)) => Ok(vec![name.clone()]),
            _ => Err(format!("one of them, a `{kind}`, has no name")),
        },
        other => match other.to_text() {
            Some(_) => Ok(vec![value.clone()]),
            None => Err(format!("a `{kind}` or its name is needed, and this is {}", other.kind())),
        },
    }
}

fn article(ty: &Type) -> String {
    format!("a {ty}")
}

/// How long a request may take: what its parameter for that says, or its declaration.
pub fn limit(native: &Native, args: &[(Arc<str>, ArgValue)]) -> Duration {
    let param = native.param(ParamRole::Limit);
    let said = args.iter().find_map(|(name, arg)| match arg {
        ArgValue::Value(Value::Duration(duration)) if param.is_some_and(|param| param.name == *name) => {
            Duration::try_from(*duration).ok()
        }
        _ => None,
    });
    let default = if native.effect == Effect::Action { DEFAULT_ACTION_LIMIT } else { DEFAULT_LIMIT };
    said.unwrap_or(default)
}

/// An argument of a fact's key: a path as it is written shortest, so that `./a` and `a` are one. What goes up (`a/../b`)
/// depends on links, and may be anything.
pub fn key_argument(text: Arc<str>, ty: &Type) -> Option<Arc<str>> {
    use std::path::{Component, Path, PathBuf};
    if *ty != Type::Path {
        return Some(text);
    }
    let path = Path::new(&*text);
    if path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    path.components().collect::<PathBuf>().to_str().map(Arc::from)
}

/// The facts that a key pattern names for these arguments: one, or one for each item of a list.
pub fn fact_keys(pattern: &KeyPattern, native: &Native, args: &[(Arc<str>, ArgValue)]) -> Vec<FactKey> {
    let mut keys = vec![FactKey { kind: pattern.kind.clone(), args: Vec::new() }];
    for arg in &pattern.args {
        let named = match arg {
            KeyArg::Text(text) => vec![Some(text.clone())],
            KeyArg::Param(at) => native.params.get(*at).map_or_else(Vec::new, |param| named_by(param, args)),
        };
        keys = keys
            .iter()
            .flat_map(|key| {
                named.iter().map(|arg| {
                    let mut key = key.clone();
                    key.args.push(arg.clone());
                    key
                })
            })
            .collect();
    }
    keys
}

/// What a parameter names; what can't be told, and what is left out, stands for any.
fn named_by(param: &NativeParam, args: &[(Arc<str>, ArgValue)]) -> Vec<Option<Arc<str>>> {
    let text = |value: &Value| value.to_text().and_then(|text| key_argument(text, &param.ty));
    match args.iter().find(|(name, _)| *name == param.name) {
        Some((_, ArgValue::Value(value))) => match value.unsealed() {
            Value::List(items) => items.iter().map(text).collect(),
            _ => vec![text(value)],
        },
        _ => vec![None],
    }
}
