//! The world as the engine sees it: three traits, one for each effect.
//!
//! A dry run is given [`Look`] and [`Vouch`] only: it holds nothing that could act, so a dry run that acts does not
//! compile. In: [`Request`]s. Out: [`Answer`]s and [`Outcome`]s. `world` fills these traits with the real backends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::check::program::{Native, Shell};
use crate::value::{Answer, Map, Number, Record, Value};

pub use super::confinement::Confinement;
use super::redact::Redactor;
pub use super::stream::Stream;

/// Looks at the world; can't change it.
pub trait Look: Send + Sync {
    /// Answers within the request's limit; dropping the future ends the question. Never panics, whatever is answered.
    fn look(&self, request: Request) -> BoxFuture<'static, Answer>;

    /// Whether this native leaves out of its answer what nobody wants. The answer of another is whole, whoever asks.
    fn heeds_wants(&self, native: &Native) -> bool {
        let _ = native;
        true
    }
}

/// Runs foreign code that its author says only reads.
pub trait Vouch: Send + Sync {
    fn ask(&self, request: Request, trust: Trust) -> BoxFuture<'static, (Answer, Confinement)>;
}

/// That an action was announced, and that its announcement is on disk. Only `engine::emit` makes one.
#[derive(Debug)]
pub struct Announced(());

impl Announced {
    pub(in crate::engine) fn written_down() -> Self {
        Self(())
    }
}

/// Changes the world.
pub trait Act: Send + Sync {
    /// Carries an action out. When `cancel` fires (a deadline, an interrupt, a stop condition), what was started is
    /// ended, wholly, before this returns.
    fn act(
        &self,
        announced: Announced,
        request: Request,
        output: Arc<dyn Output>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Outcome>;
}

/// A world that can be read.
#[derive(Clone)]
pub struct ReadOnly {
    pub look: Arc<dyn Look>,
    pub vouch: Arc<dyn Vouch>,
    pub clock: Arc<dyn Clock>,
}

/// A world that can be changed.
#[derive(Clone)]
pub struct Real {
    pub look: Arc<dyn Look>,
    pub vouch: Arc<dyn Vouch>,
    pub act: Arc<dyn Act>,
    pub people: Arc<dyn People>,
    pub clock: Arc<dyn Clock>,
}

impl From<&Real> for ReadOnly {
    fn from(real: &Real) -> Self {
        Self { look: real.look.clone(), vouch: real.vouch.clone(), clock: real.clock.clone() }
    }
}

impl From<Real> for ReadOnly {
    fn from(real: Real) -> Self {
        Self::from(&real)
    }
}

/// Knows what no program can know.
pub trait People: Send + Sync {
    /// Who answered, and what; or why nobody did. Dropping the future ends the question.
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Reply, String>>;
}

/// What a person is asked.
#[derive(Clone)]
pub struct Question {
    /// As answers name it: `step.What is to be confirmed`.
    pub item: String,
    pub text: String,
    pub role: String,
    /// What is asked for beside a yes.
    pub answer: Option<Wanted>,
}

/// An answer that is typed.
#[derive(Clone)]
pub struct Wanted {
    pub name: String,
    /// What it is, in words: "a string matching CHG-[0-9]+".
    pub kind: String,
    /// Says what is wrong with an answer.
    pub check: Arc<Check>,
}

/// Says what is wrong with a text, if something is.
pub type Check = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// What a person answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub given: bool,
    pub by: String,
    pub at: Timestamp,
    pub value: Option<String>,
    /// The terminal, or the file.
    pub source: String,
}

/// Takes what an action prints while it runs. Bytes as they come: any, of any size.
pub trait Output: Send + Sync {
    fn chunk(&self, stream: Stream, bytes: &[u8]);
}

/// The time. Waiting is tokio's, whose clock tests can hold; this tells what the calendar says.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The calendar time at which the run began, moved on by tokio's clock: virtual when that is.
pub struct RunClock {
    began: Timestamp,
    since: tokio::time::Instant,
}

impl RunClock {
    pub fn start() -> Self {
        Self { began: Timestamp::now(), since: tokio::time::Instant::now() }
    }
}

impl Clock for RunClock {
    fn now(&self) -> Timestamp {
        SignedDuration::try_from(self.since.elapsed())
            .ok()
            .and_then(|elapsed| self.began.checked_add(elapsed).ok())
            .unwrap_or(self.began)
    }
}

/// Whether a vouched probe may run where no sandbox confines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// In a dry run: only what a sandbox confines.
    Sandboxed,
    /// In `exec`, or with `--trust-probes`: in the sandbox where there is one, else on its author's word.
    AuthorsWord,
}

/// A native with its arguments.
#[derive(Clone)]
pub struct Request {
    pub native: Arc<Native>,
    /// By parameter name; those left out have their default, or are missing where they have none. Paths are absolute.
    pub args: Vec<(Arc<str>, ArgValue)>,
    /// Which fields of the result will be looked at; `None`: any may be. What is costly and not wanted may be left out.
    pub wants: Option<Arc<[Arc<str>]>>,
    /// How long it may take.
    pub limit: Duration,
    /// The folder that commands run in where nothing else is said.
    pub root: Arc<Path>,
    /// Variables of this program's environment that commands do not inherit: secrets are read from them.
    pub withheld: Arc<[Arc<str>]>,
    /// Knows the secrets of the run, which not everybody may be sent.
    pub secrets: Arc<Redactor>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    Value(Value),
    Shell(ShellCommand),
}

/// A shell command whose values come to it by the environment: text that came from a value is never source.
#[derive(Clone, Debug, PartialEq)]
pub struct ShellCommand {
    pub shell: Shell,
    /// The text for `sh -c`, which refers to the variables.
    pub source: String,
    /// The variables that the text refers to.
    pub env: Vec<(String, Value)>,
}

/// What an action came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it answered, also where it failed: a record, as declared.
    pub result: Answer,
    /// Why it failed, as a sentence without a full stop: "ended with status 3", "no answer within 10s".
    pub failure: Option<String>,
}

impl Request {
    pub fn arg(&self, name: &str) -> Option<&ArgValue> {
        self.args.iter().find(|(param, _)| &**param == name).map(|(_, value)| value)
    }

    /// The value of an argument, a secret still sealed.
    pub fn value(&self, name: &str) -> Option<&Value> {
        match self.arg(name)? {
            ArgValue::Value(value) => Some(value),
            ArgValue::Shell(_) => None,
        }
    }

    pub fn shell(&self, name: &str) -> Option<&ShellCommand> {
        match self.arg(name)? {
            ArgValue::Shell(command) => Some(command),
            ArgValue::Value(_) => None,
        }
    }

    /// A text argument; a secret's own value, since the backends are where secrets are used.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)?.unsealed() {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.value(name)?.unsealed() {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn number(&self, name: &str) -> Option<Number> {
        match self.value(name)?.unsealed() {
            Value::Number(value) => Some(*value),
            _ => None,
        }
    }

    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.value(name)?.unsealed() {
            Value::Duration(value) => Duration::try_from(*value).ok(),
            _ => None,
        }
    }

    pub fn time(&self, name: &str) -> Option<Timestamp> {
        match self.value(name)?.unsealed() {
            Value::Time(value) => Some(*value),
            _ => None,
        }
    }

    pub fn list(&self, name: &str) -> Option<&[Value]> {
        match self.value(name)?.unsealed() {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn map(&self, name: &str) -> Option<&Map> {
        match self.value(name)?.unsealed() {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn record(&self, name: &str) -> Option<&Record> {
        match self.value(name)?.unsealed() {
            Value::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Whether this field of the result may be looked at.
    pub fn wants(&self, field: &str) -> bool {
        self.wants.as_ref().is_none_or(|fields| fields.iter().any(|wanted| &**wanted == field))
    }
}
