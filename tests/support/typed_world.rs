//! A world that answers every native there is, with a value of its declared type: the same one each time, until an action
//! declares that it changes what was asked for.
//!
//! In: a seed, and the text of a runbook, whose own literals are what is mostly answered, so that its expects hold now and
//! then. Out: answers, outcomes, and the events of the run.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use runbook::check::library;
use runbook::check::program::{KeyArg, Library, Program};
use runbook::engine::events::event::{Body, Changes, Event, Ledger, LedgerError, Published, Sink};
use runbook::engine::world::{
    Act, Announced, ArgValue, Clock, Confinement, Look, Outcome, Output, People, Question, Reply, Request, Trust, Vouch,
};
use runbook::engine::{Cancel, Ended, Identity, Options, Outlets, ReadOnly, Real, Redactor, Setup, dry_run, exec};
use runbook::value::{Answer, Number, Type, UnknownCause, Value};
use tokio_util::sync::CancellationToken;

/// When it is, in this world: always.
const NOW: Timestamp = Timestamp::constant(1_795_291_200, 0);

pub fn stdlib() -> &'static Library {
    static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(library);
    &LIBRARY
}

/// A key of facts: its kind, and its arguments; `None` stands for any.
#[derive(Clone, Debug)]
struct Key {
    kind: String,
    args: Vec<Option<String>>,
}

impl Key {
    /// As an event tells it: `file("secrets/*")`, with paths from the root on.
    fn told(text: &str, root: &Path) -> Option<Self> {
        let (kind, rest) = text.split_once('(')?;
        let rest = rest.strip_suffix(')')?;
        let args = rest.split(", ").map(|arg| {
            let arg = arg.strip_prefix('"')?.strip_suffix('"')?.replace("\\\"", "\"").replace("\\\\", "\\");
            Some(if kind == "file" { root.join(arg).to_string_lossy().into_owned() } else { arg })
        });
        Some(Self { kind: kind.to_owned(), args: args.collect() })
    }

    fn meets(&self, other: &Key) -> bool {
        let same = |a: &str, b: &str| {
            let covers = |a: &str, b: &str| {
                glob(a, b) || b.strip_prefix(a.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
            };
            a == b || covers(a, b) || covers(b, a)
        };
        self.kind == other.kind
            && self.args.iter().zip(&other.args).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => same(a, b),
                _ => true,
            })
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    pattern.contains('*')
        && Regex::new(&format!("^{}$", regex::escape(pattern).replace("\\*", ".*")))
            .is_ok_and(|regex| regex.is_match(text))
}

/// The literals of a runbook that its expects compare with: by the field before them, or of any.
#[derive(Debug, Default)]
struct Literals {
    by_field: BTreeMap<String, Vec<Value>>,
    any: Vec<Value>,
}

impl Literals {
    fn of(text: &str) -> Self {
        static COMPARED: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r#"(?:\.(\w+)[^\w\n=]{0,3})?\s*==\s*("[^"\n#]*"|\d+)"#).expect("a regex"));
        let mut literals = Self::default();
        for found in COMPARED.captures_iter(text) {
            let written = &found[2];
            let value = match written.strip_prefix('"') {
                Some(rest) => Value::text(rest.trim_end_matches('"')),
                None => Value::Number(Number::Int(written.parse().unwrap_or_default())),
            };
            if let Some(field) = found.get(1) {
                literals.by_field.entry(field.as_str().to_owned()).or_default().push(value.clone());
            }
            literals.any.push(value);
        }
        literals
    }
}

struct State {
    /// How often anything at all was changed.
    everything: u64,
    /// What was changed, each time.
    changed: Vec<Key>,
    /// What the action that was announced last changes.
    announced: Option<Changes>,
    events: Vec<Published>,
    acts: u32,
    asked_people: u32,
}

/// The world. Clones are the same one.
#[derive(Clone)]
pub struct TypedWorld {
    seed: u64,
    root: Arc<Path>,
    literals: Arc<Literals>,
    /// How many of a hundred answers are known and as the runbook wants them; and how many actions end well.
    luck: u64,
    state: Arc<Mutex<State>>,
}

impl TypedWorld {
    pub fn new(seed: u64, luck: u64, text: &str, root: &Arc<Path>) -> Self {
        let state =
            State { everything: 0, changed: Vec::new(), announced: None, events: Vec::new(), acts: 0, asked_people: 0 };
        Self {
            seed,
            root: root.clone(),
            literals: Arc::new(Literals::of(text)),
            luck,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn events(&self) -> Vec<Published> {
        self.lock().events.clone()
    }

    pub fn acts(&self) -> u32 {
        self.lock().acts
    }

    pub fn asked_people(&self) -> u32 {
        self.lock().asked_people
    }

    /// A number that this request comes to, as long as nothing changes what it reads.
    fn dice(&self, request: &Request) -> u64 {
        let reads: Vec<Key> = request
            .native
            .reads
            .iter()
            .map(|pattern| {
                let args = pattern.args.iter().map(|arg| match arg {
                    KeyArg::Text(text) => Some(text.to_string()),
                    KeyArg::Param(at) => {
                        let param = request.native.params.get(*at)?;
                        request.value(&param.name)?.to_text().map(|text| text.to_string())
                    }
                });
                Key { kind: pattern.kind.to_string(), args: args.collect() }
            })
            .collect();
        let state = self.lock();
        let met = state.changed.iter().filter(|key| reads.iter().any(|read| key.meets(read))).count();
        // What reads no fact (the clock, a variable) is changed by nothing.
        let everything = if reads.is_empty() { 0 } else { state.everything };
        let mut hasher = DefaultHasher::new();
        (self.seed, &*request.native.name, everything, met).hash(&mut hasher);
        for (name, arg) in &request.args {
            match arg {
                ArgValue::Value(value) => (&**name, value.to_json(true).to_string()).hash(&mut hasher),
                ArgValue::Shell(command) => (&**name, &command.source, format!("{:?}", command.env)).hash(&mut hasher),
            }
        }
        hasher.finish()
    }

    fn answer(&self, request: &Request) -> Answer {
        let mut dice = Dice(self.dice(request));
        if !dice.lucky(self.luck) && dice.lucky(40) {
            return Answer::unknown(UnknownCause::NoAnswer, "it does not answer");
        }
        self.value(&request.native.returns, request.native.returns_optional, None, &mut dice, 0)
    }

    fn value(&self, ty: &Type, optional: bool, field: Option<&str>, dice: &mut Dice, depth: u32) -> Answer {
        let lucky = dice.lucky(self.luck);
        if optional && dice.lucky(if lucky { 5 } else { 50 }) {
            return Answer::absent("there is none");
        }
        if !lucky && dice.lucky(10) {
            return Answer::unknown(UnknownCause::Unreadable, "it can't be read");
        }
        let wanted = field.and_then(|field| self.literals.by_field.get(field)).unwrap_or(&self.literals.any);
        let literal = |fits: &dyn Fn(&Value) -> bool, dice: &mut Dice| {
            let fitting: Vec<&Value> = wanted.iter().filter(|value| fits(value)).collect();
            (lucky && !fitting.is_empty()).then(|| (*dice.pick(&fitting)).clone())
        };
        let value = match ty {
            Type::Bool => Value::Bool(dice.lucky(50)),
            Type::Number => literal(&|value| matches!(value, Value::Number(_)), dice)
                .unwrap_or_else(|| Value::Number(Number::Int(dice.below(4) as i64))),
            Type::String | Type::Path | Type::Url | Type::Any => {
                literal(&|value| matches!(value, Value::Text(_)), dice)
                    .unwrap_or_else(|| Value::text(*dice.pick(&["", "a", "b", "one two"])))
            }
            Type::Duration => Value::Duration(SignedDuration::from_millis(dice.below(3000) as i64)),
            Type::Size => Value::Size(dice.below(1 << 20) as i64),
            Type::Percent => return Answer::unknown(UnknownCause::Unreadable, "not in this world"),
            Type::Time => Value::Time(NOW),
            Type::Json => literal(&|_| true, dice).unwrap_or(Value::Null),
            Type::List(of) => {
                let count = dice.below(3);
                let items = (0..count).filter_map(|_| self.value(of, false, None, dice, depth + 1).known().cloned());
                Value::list(items.collect::<Vec<_>>())
            }
            Type::Map(of) => {
                let entries = ["a", "b"]
                    .into_iter()
                    .filter_map(|key| Some((key, self.value(of, false, None, dice, depth + 1).known()?.clone())));
                Value::map(entries.collect::<Vec<_>>())
            }
            Type::Record(name) => {
                let Some(record) = stdlib().records.get(name).filter(|_| depth < 5) else {
                    return Answer::unknown(UnknownCause::Invalid, "no such record");
                };
                let fields = record.fields.iter().map(|(field, declared)| {
                    (field.clone(), self.value(&declared.ty, declared.optional, Some(field), dice, depth + 1))
                });
                Value::record(name, fields.collect::<Vec<_>>())
            }
            Type::Shell | Type::Key | Type::Names(_) | Type::Item => {
                return Answer::unknown(UnknownCause::Invalid, "nothing");
            }
        };
        Answer::Known(value)
    }

    fn take(&self, event: &Published) {
        let mut state = self.lock();
        if let Body::ActionStarted { changes, .. } = &event.get().body {
            state.announced = Some(changes.clone());
        }
        state.events.push(event.clone());
    }

    fn carry_out(&self, request: &Request) -> Outcome {
        let mut dice = Dice(self.dice(request) ^ 0x5bd1_e995);
        let well = dice.lucky(self.luck.max(70));
        let result = self.value(&request.native.returns, request.native.returns_optional, None, &mut dice, 0);
        let mut state = self.lock();
        state.acts += 1;
        match state.announced.take() {
            Some(Changes::Keys(keys)) => {
                let root = self.root.clone();
                state.changed.extend(keys.iter().filter_map(|key| Key::told(key, &root)));
            }
            _ => state.everything += 1,
        }
        Outcome { result, failure: (!well).then(|| "ended with status 1".to_owned()) }
    }
}

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, until: u64) -> u64 {
        self.next() % until
    }

    fn lucky(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }
}

impl Clock for TypedWorld {
    fn now(&self) -> Timestamp {
        NOW
    }
}

impl Look for TypedWorld {
    fn look(&self, request: Request) -> BoxFuture<'static, Answer> {
        std::future::ready(self.answer(&request)).boxed()
    }
}

impl Vouch for TypedWorld {
    fn ask(&self, request: Request, _: Trust) -> BoxFuture<'static, (Answer, Confinement)> {
        std::future::ready((self.answer(&request), Confinement::Sandbox)).boxed()
    }
}

impl Act for TypedWorld {
    fn act(
        &self,
        _announced: Announced,
        request: Request,
        _: Arc<dyn Output>,
        _: CancellationToken,
    ) -> BoxFuture<'static, Outcome> {
        std::future::ready(self.carry_out(&request)).boxed()
    }
}

impl People for TypedWorld {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Reply, String>> {
        self.lock().asked_people += 1;
        let value = question.answer.map(|_| "CHG-1".to_owned());
        let reply = Reply { given: true, by: "Ana".to_owned(), at: NOW, value, source: "the test".to_owned() };
        std::future::ready(Ok(reply)).boxed()
    }
}

struct Recorder(TypedWorld);

impl Ledger for Recorder {
    fn append(&mut self, event: &Published) -> Result<(), LedgerError> {
        self.0.take(event);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn in_memory(&self) -> bool {
        true
    }
}

impl Sink for Recorder {
    fn take(&mut self, event: &Published) {
        self.0.take(event);
    }
}

fn held<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let year = Duration::from_secs(365 * 24 * 3600);
        tokio::time::timeout(year, work).await.expect("it ends")
    })
}

/// The events of a dry run, of a world that nothing could have changed.
pub fn ahead(program: &Arc<Program>, world: &TypedWorld) -> Vec<Published> {
    let shared = Arc::new(world.clone());
    let read_only = ReadOnly { look: shared.clone(), vouch: shared.clone(), clock: shared };
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Recorder(world.clone()))];
    held(dry_run(program.clone(), read_only, &Options::default(), Trust::Sandboxed, Redactor::new(), sinks));
    world.events()
}

/// The events of a run.
pub fn run(program: &Arc<Program>, world: &TypedWorld) -> (Ended, Vec<Published>) {
    let shared = Arc::new(world.clone());
    let real = Real {
        look: shared.clone(),
        vouch: shared.clone(),
        act: shared.clone(),
        people: shared.clone(),
        clock: shared,
    };
    let setup = Setup {
        program: program.clone(),
        world: real,
        options: Options::default(),
        identity: Identity { run: None, by: "t".to_owned(), host: "h".to_owned() },
        redactor: Redactor::new(),
        cancel: Cancel::new(),
        outlets: Outlets { ledger: Some(Box::new(Recorder(world.clone()))), sinks: Vec::new() },
    };
    let ended = held(exec(setup));
    (ended, world.events())
}

/// As a person reads them.
pub fn told(events: &[Published]) -> String {
    let line = |event: &Event| {
        let id = event.place.expect.as_deref().or(event.place.step.as_deref()).unwrap_or_default();
        let words = match &event.body {
            Body::RunStarted { .. } => "RunStarted".to_owned(),
            Body::ExpectEnded(result) => {
                format!("ExpectEnded {:?} found {} as of now {:?}", result.state, result.actual, result.as_of_now)
            }
            body => format!("{body:?}").chars().take(200).collect(),
        };
        let Event { place, seq, .. } = event;
        format!("#{seq} {id}:{} {:?} {:?} {words}\n", place.line.unwrap_or_default(), place.part, place.possible)
    };
    events.iter().map(|event| line(event.get())).collect()
}
