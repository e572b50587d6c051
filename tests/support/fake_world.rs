//! A world that is held in memory, over a clock that is held: the engine runs against it as against the real one, a day of
//! waiting takes no time, and everything that was asked and done is written down with its moment.
//!
//! In: a [`Spec`], which says what is so at first, what becomes so and when, and what each command takes, changes and comes
//! to. Out: a [`Ran`], whose log holds the world's own entries and the events of the run in the order in which they came.
//!
//! A fact `x` is asked by an ordinary native: `file("x")`, `http.get("http://127.0.0.1:9/x")`, `sh("x")`, `env("x")`. An
//! action is a command: `run "COMMAND"`.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use runbook::check::program::{Program, Settings};
use runbook::check::{Input, check};
use runbook::engine::cancel::Signal;
use runbook::engine::events::event::{Body, Event, Ledger, LedgerError, Published, Sink};
use runbook::engine::interpreter::resume::{Decisions, Refused, preflight};
use runbook::engine::world::{
    Act, Announced, Clock, Confinement, Look, Outcome, Output, People, Question, Reply, Request, Stream, Trust, Vouch,
};
use runbook::engine::{
    Cancel, Ended, Identity, Options, Outlets, Past, ReadOnly, Real, Redactor, Setup, dry_run, exec, go_on, roll_back,
};
use runbook::value::{Answer, Number, UnknownCause, Value};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// A moment of the world, or a time, in milliseconds.
pub type Ms = u64;

/// When every world begins, as the calendar has it: 2026-11-21T20:00:00Z.
const EPOCH: Timestamp = Timestamp::constant(1_795_291_200, 0);

/// Longer than any run of a test: one that is not over by then hangs.
const FOR_EVER: Duration = Duration::from_secs(400 * 24 * 3600);

/// What is so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    Known(i64),
    #[default]
    Absent,
    Unknown,
}

/// One thing that can be asked for.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    pub now: Seen,
    /// What becomes so by itself, and when; in their order.
    pub later: Vec<(Ms, Seen)>,
    /// How long an answer takes. It is what was so when it was asked.
    pub takes: Ms,
    /// From when until when nothing answers.
    pub hangs: Vec<(Ms, Ms)>,
    /// What hangs does not heed its time limit either.
    pub deaf: bool,
}

impl Fact {
    pub fn is(now: Seen) -> Self {
        Self { now, ..Self::default() }
    }

    pub fn at(&self, moment: Ms) -> Seen {
        self.later.iter().take_while(|(at, _)| *at <= moment).last().map_or(self.now, |(_, seen)| *seen)
    }

    fn hangs_at(&self, moment: Ms) -> bool {
        self.hangs.iter().any(|(from, until)| (*from..*until).contains(&moment))
    }

    fn settle(&mut self, moment: Ms) {
        self.now = self.at(moment);
        self.later.retain(|(at, _)| *at > moment);
    }
}

/// What a command does to a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Set(Seen),
    Add(i64),
}

impl How {
    fn on(self, seen: Seen) -> Seen {
        match (self, seen) {
            (How::Set(seen), _) => seen,
            (How::Add(more), Seen::Known(number)) => Seen::Known(number + more),
            (How::Add(more), _) => Seen::Known(more),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Effect {
    /// Counted from its start. What is not done yet when it ends comes by itself.
    pub after: Ms,
    pub fact: String,
    pub how: How,
}

/// How a command goes, once.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    pub takes: Ms,
    pub effects: Vec<Effect>,
    pub prints: Vec<(Ms, String)>,
    /// The status that it ends with.
    pub status: i64,
    /// It does not end by itself.
    pub hangs: bool,
    /// How long it goes on when it is told to end; what it does meanwhile is done.
    pub deaf: Ms,
}

/// A command: each time it is run it goes as the next of its manners says, at last always as the last one.
#[derive(Clone, Debug, Default)]
pub struct Command {
    pub manners: Vec<Manner>,
    /// How often it came to its end.
    pub ended: usize,
}

impl Command {
    pub fn always(manner: Manner) -> Self {
        Self { manners: vec![manner], ended: 0 }
    }

    pub fn next(&self) -> Manner {
        self.manners.get(self.ended).or(self.manners.last()).cloned().unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    Yes,
    No,
    /// There is nobody.
    Nothing,
    /// It is never answered.
    Silence,
}

/// A world, as it is at a moment.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    pub at: Ms,
    pub facts: BTreeMap<String, Fact>,
    pub commands: BTreeMap<String, Command>,
    /// By what is to be confirmed.
    pub people: BTreeMap<String, (Ms, Says)>,
}

impl Spec {
    pub fn fact(mut self, name: &str, fact: Fact) -> Self {
        self.facts.insert(name.to_owned(), fact);
        self
    }

    pub fn command(mut self, name: &str, manners: Vec<Manner>) -> Self {
        self.commands.insert(name.to_owned(), Command { manners, ended: 0 });
        self
    }

    /// What is so, whatever will become of it.
    pub fn state(&self) -> BTreeMap<&str, Seen> {
        self.facts.iter().map(|(name, fact)| (name.as_str(), fact.at(self.at))).collect()
    }

    /// What will be so when all that is on its way has come.
    pub fn at_last(&self) -> BTreeMap<&str, Seen> {
        self.facts.iter().map(|(name, fact)| (name.as_str(), fact.at(Ms::MAX))).collect()
    }

    fn take(&mut self, at: Ms, entry: &Entry) {
        self.at = at;
        match entry {
            Entry::Changed { fact, to } => {
                let fact = self.facts.entry(fact.clone()).or_default();
                fact.settle(at);
                fact.now = *to;
            }
            Entry::Coming { fact, when, to } => {
                let fact = self.facts.entry(fact.clone()).or_default();
                fact.later.push((*when, *to));
                fact.later.sort_by_key(|(at, _)| *at);
            }
            Entry::ActEnded { command, left, .. } if *left != Left::Dropped => {
                if let Some(command) = self.commands.get_mut(command) {
                    command.ended += 1;
                }
            }
            _ => {}
        }
    }

    /// The world as it was when the first entries of a log were written.
    pub fn after(&self, log: &[(Ms, Entry)]) -> Spec {
        let mut spec = self.clone();
        for (at, entry) in log {
            spec.take(*at, entry);
        }
        let at = spec.at;
        spec.facts.values_mut().for_each(|fact| fact.settle(at));
        spec
    }
}

/// What was written down.
#[derive(Clone, Debug)]
pub enum Entry {
    Asked {
        id: usize,
        native: String,
        fact: String,
    },
    Answered {
        id: usize,
        fact: String,
        seen: Seen,
    },
    /// Nobody waits for the answer any more.
    LetGo {
        id: usize,
    },
    ActBegan {
        id: usize,
        command: String,
    },
    /// It heard that it has to end.
    ToldToEnd {
        id: usize,
    },
    Changed {
        fact: String,
        to: Seen,
    },
    /// It becomes so by itself.
    Coming {
        fact: String,
        when: Ms,
        to: Seen,
    },
    ActEnded {
        id: usize,
        command: String,
        left: Left,
    },
    Question {
        item: String,
    },
    Reply {
        item: String,
    },
    Event(Published),
    /// What was handed over so far is on disk.
    Synced,
    Signal(Signal),
    /// The program was killed, and with it what was at work. What follows is another program's.
    Killed,
}

/// How an action came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Status(i64),
    /// It was told to end.
    Ended,
    /// It is not waited for any more, or was killed with the program.
    Dropped,
}

struct State {
    spec: Spec,
    log: Vec<(Ms, Entry)>,
    next: usize,
    /// From which event on the disk is full, for all but the room that is kept.
    full_from: Option<u64>,
}

/// The world itself. Clones are the same one.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
    from: Ms,
}

impl World {
    pub fn new(spec: Spec) -> Self {
        let from = spec.at;
        let state = State { spec, log: Vec::new(), next: 0, full_from: None };
        Self { state: Arc::new(Mutex::new(state)), began: Instant::now(), from }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn moment(&self) -> Ms {
        self.from + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(Ms::MAX)
    }

    fn write(&self, entry: Entry) {
        let at = self.moment();
        let mut state = self.lock();
        state.spec.take(at, &entry);
        state.log.push((at, entry));
    }

    fn id(&self) -> usize {
        let mut state = self.lock();
        state.next += 1;
        state.next
    }

    async fn answer(self, request: Request) -> Answer {
        let native = request.native.name.to_string();
        if native == "time.now" {
            return Answer::Known(Value::Time(self.now()));
        }
        let Some(name) = fact_of(&request) else {
            return Answer::unknown(UnknownCause::Invalid, format!("`{native}` is not in this world"));
        };
        let at = self.moment();
        let fact = self.lock().spec.facts.get(&name).cloned().unwrap_or_default();
        let mut asking = Asking { world: self.clone(), id: self.id(), open: true };
        self.write(Entry::Asked { id: asking.id, native: native.clone(), fact: name.clone() });
        let (takes, hangs) = (Duration::from_millis(fact.takes), fact.hangs_at(at));
        if hangs && fact.deaf {
            std::future::pending::<()>().await;
        }
        let seen = match hangs || takes > request.limit {
            true => {
                sleep(request.limit).await;
                Seen::Unknown
            }
            false => {
                // No timer where nothing is waited for: a timer of 0 ms is one of 1 ms.
                if !takes.is_zero() {
                    sleep(takes).await;
                }
                fact.at(at)
            }
        };
        asking.open = false;
        self.write(Entry::Answered { id: asking.id, fact: name.clone(), seen });
        answer_of(&native, &name, seen)
    }

    async fn carry_out(self, request: Request, output: Arc<dyn Output>, cancel: CancellationToken) -> Outcome {
        let command = command_of(&request);
        let manner = self.lock().spec.commands.get(&command).map(Command::next).unwrap_or_default();
        let mut acting = Acting { world: self.clone(), id: self.id(), command: command.clone(), open: true };
        self.write(Entry::ActBegan { id: acting.id, command: command.clone() });
        enum Happens {
            Effect(Effect),
            Print(String),
        }
        let mut script: Vec<(Ms, Happens)> = Vec::new();
        let mut coming = Vec::new();
        for effect in manner.effects {
            match manner.hangs || effect.after <= manner.takes {
                true => script.push((effect.after, Happens::Effect(effect))),
                false => coming.push(effect),
            }
        }
        script.extend(manner.prints.into_iter().map(|(after, text)| (after, Happens::Print(text))));
        script.sort_by_key(|(after, _)| *after);
        let mut script = script.into_iter().peekable();
        let began = Instant::now();
        let moment = |after: Ms| began + Duration::from_millis(after);
        let mut ends_at = (!manner.hangs).then(|| moment(manner.takes));
        let mut told = false;
        loop {
            let next = script.peek().map(|(after, _)| moment(*after));
            let due = match (next, ends_at) {
                (Some(next), Some(end)) => Some(next.min(end)),
                (next, end) => next.or(end),
            };
            let waits = async {
                match due {
                    Some(due) if due <= Instant::now() => {}
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = waits => {}
                () = cancel.cancelled(), if !told => {
                    told = true;
                    self.write(Entry::ToldToEnd { id: acting.id });
                    let last = Instant::now() + Duration::from_millis(manner.deaf);
                    ends_at = Some(ends_at.map_or(last, |end| end.min(last)));
                    continue;
                }
            }
            let now = Instant::now();
            match script.next_if(|(after, _)| moment(*after) <= now) {
                Some((_, Happens::Effect(Effect { fact, how, .. }))) => {
                    let before = self.lock().spec.facts.get(&fact).map_or(Seen::Absent, |fact| fact.at(self.moment()));
                    self.write(Entry::Changed { fact, to: how.on(before) });
                }
                Some((_, Happens::Print(text))) => output.chunk(Stream::Stdout, format!("{text}\n").as_bytes()),
                None => break,
            }
        }
        let began_at = self.moment() - u64::try_from(began.elapsed().as_millis()).unwrap_or_default();
        let by_itself = !manner.hangs && Instant::now() >= moment(manner.takes);
        if by_itself {
            for Effect { after, fact, how } in coming {
                let now = self.lock().spec.facts.get(&fact).map_or(Seen::Absent, |fact| fact.at(Ms::MAX));
                self.write(Entry::Coming { fact, when: began_at + after, to: how.on(now) });
            }
        }
        acting.open = false;
        let left = if by_itself { Left::Status(manner.status) } else { Left::Ended };
        self.write(Entry::ActEnded { id: acting.id, command, left });
        let status = match left {
            Left::Status(status) => Answer::Known(Value::Number(Number::Int(status))),
            _ => Answer::absent("a signal ended it"),
        };
        let failure = match left {
            Left::Status(0) => None,
            Left::Status(status) => Some(format!("ended with status {status}")),
            _ => Some("was ended".to_owned()),
        };
        Outcome { result: result_of(status, String::new(), began.elapsed()), failure }
    }

    async fn reply(self, question: Question) -> Result<Reply, String> {
        let item = question.text;
        let (takes, says) = self.lock().spec.people.get(&item).copied().unwrap_or((0, Says::Nothing));
        self.write(Entry::Question { item: item.clone() });
        if takes > 0 {
            sleep(Duration::from_millis(takes)).await;
        }
        let given = match says {
            Says::Yes => true,
            Says::No => false,
            Says::Nothing => return Err("there is nobody".to_owned()),
            Says::Silence => std::future::pending().await,
        };
        self.write(Entry::Reply { item });
        let value = question.answer.map(|_| "CHG-1".to_owned());
        Ok(Reply { given, by: "Ana".to_owned(), at: self.now(), value, source: "the test".to_owned() })
    }
}

/// A question that is open.
struct Asking {
    world: World,
    id: usize,
    open: bool,
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.open {
            self.world.write(Entry::LetGo { id: self.id });
        }
    }
}

/// An action that is at work.
struct Acting {
    world: World,
    id: usize,
    command: String,
    open: bool,
}

impl Drop for Acting {
    fn drop(&mut self) {
        if self.open {
            let entry = Entry::ActEnded { id: self.id, command: self.command.clone(), left: Left::Dropped };
            self.world.write(entry);
        }
    }
}

/// The fact that a request asks for.
fn fact_of(request: &Request) -> Option<String> {
    let name = match &*request.native.name {
        "file" => {
            let path = std::path::Path::new(request.text("path")?);
            path.strip_prefix(&request.root).unwrap_or(path).to_str()?.to_owned()
        }
        "http.get" | "http.head" => request.text("url")?.rsplit('/').next()?.to_owned(),
        "env" => request.text("name")?.to_owned(),
        "sh" => command_of(request),
        _ => return None,
    };
    Some(name)
}

/// The command that a request runs.
fn command_of(request: &Request) -> String {
    match request.shell("command") {
        Some(command) => command.source.clone(),
        None => {
            let argv = request.list("argv").or(request.list("command")).unwrap_or_default();
            argv.iter().filter_map(Value::to_text).collect::<Vec<_>>().join(" ")
        }
    }
}

fn answer_of(native: &str, name: &str, seen: Seen) -> Answer {
    let number = match (native, seen) {
        (_, Seen::Known(number)) => number,
        ("file" | "env", Seen::Absent) => return Answer::absent(format!("there is no `{name}`")),
        ("sh", Seen::Absent) => {
            return result_of(Answer::Known(Value::Number(Number::Int(1))), String::new(), Duration::ZERO);
        }
        (_, Seen::Absent) => return Answer::unknown(UnknownCause::NoAnswer, "connection refused"),
        (_, Seen::Unknown) => return Answer::unknown(UnknownCause::NoAnswer, "nothing answered"),
    };
    let text = Answer::Known(Value::text(number.to_string()));
    match native {
        "env" => text,
        "sh" => result_of(Answer::Known(Value::Number(Number::Int(0))), number.to_string(), Duration::ZERO),
        "file" => Answer::Known(Value::record(
            "file",
            [
                ("path", Answer::Known(Value::text(name))),
                ("kind", Answer::Known(Value::text("file"))),
                ("size", Answer::Known(Value::Size(i64::try_from(number.to_string().len()).unwrap_or_default()))),
                ("mode", Answer::Known(Value::text("0644"))),
                ("owner", Answer::Known(Value::text("root"))),
                ("group", Answer::Known(Value::text("root"))),
                ("modified", Answer::Known(Value::Time(Timestamp::UNIX_EPOCH))),
                ("text", text),
                ("lines", Answer::Known(Value::list([Value::text(number.to_string())]))),
                ("json", Answer::Known(Value::Number(Number::Int(number)))),
                ("sha256", Answer::unknown(UnknownCause::Unreadable, "not in this world")),
            ],
        )),
        _ => Answer::Known(Value::record(
            "http.response",
            [
                ("status", Answer::Known(Value::Number(Number::Int(number)))),
                ("headers", Answer::Known(Value::map::<&str>([]))),
                ("text", text),
                ("json", Answer::Known(Value::Number(Number::Int(number)))),
                ("time", Answer::Known(Value::Duration(SignedDuration::ZERO))),
                ("url", Answer::Known(Value::text(format!("http://127.0.0.1:9/{name}")))),
                ("size", Answer::Known(Value::Size(1))),
                ("certificate_expires", Answer::absent("without TLS")),
            ],
        )),
    }
}

fn result_of(status: Answer, text: String, elapsed: Duration) -> Answer {
    let signal = match &status {
        Answer::Known(_) => Answer::absent("it ended with a status"),
        _ => Answer::Known(Value::text("SIGKILL")),
    };
    let text = Answer::Known(Value::text(text));
    Answer::Known(Value::record(
        "shell.result",
        [
            ("status", status),
            ("signal", signal),
            ("text", text.clone()),
            ("stdout", text),
            ("stderr", Answer::Known(Value::text(""))),
            ("time", Answer::Known(Value::Duration(elapsed.try_into().unwrap_or_default()))),
            ("truncated", Answer::Known(Value::Bool(false))),
        ],
    ))
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        EPOCH + SignedDuration::from_millis(i64::try_from(self.moment()).unwrap_or(i64::MAX))
    }
}

impl Look for World {
    fn look(&self, request: Request) -> BoxFuture<'static, Answer> {
        self.clone().answer(request).boxed()
    }
}

impl Vouch for World {
    fn ask(&self, request: Request, _: Trust) -> BoxFuture<'static, (Answer, Confinement)> {
        let answer = self.clone().answer(request);
        async move { (answer.await, Confinement::Sandbox) }.boxed()
    }
}

impl Act for World {
    fn act(
        &self,
        _announced: Announced,
        request: Request,
        output: Arc<dyn Output>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Outcome> {
        self.clone().carry_out(request, output, cancel).boxed()
    }
}

impl People for World {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Reply, String>> {
        self.clone().reply(question).boxed()
    }
}

/// Writes events into the world's own log, so that their order among what happens is known.
struct Recorder(World);

impl Ledger for Recorder {
    fn append(&mut self, event: &Published) -> Result<(), LedgerError> {
        if self.0.lock().full_from.is_some_and(|full| event.get().seq >= full) {
            return Err(std::io::Error::other("the disk is full").into());
        }
        self.0.write(Entry::Event(event.clone()));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), LedgerError> {
        if self.0.lock().full_from.is_some() {
            return Err(std::io::Error::other("the disk is full").into());
        }
        self.0.write(Entry::Synced);
        Ok(())
    }

    fn in_memory(&self) -> bool {
        true
    }
}

impl Sink for Recorder {
    fn take(&mut self, event: &Published) {
        self.0.write(Entry::Event(event.clone()));
    }
}

/// What a run is driven with, beside its program and its world.
#[derive(Clone, Debug, Default)]
pub struct Driven {
    /// Signals, and when they come.
    pub signals: Vec<(Ms, Signal)>,
    pub options: Options,
}

/// A run that is over.
#[derive(Clone)]
pub struct Ran {
    /// None: it was not over after a year.
    pub ended: Option<Ended>,
    pub log: Vec<(Ms, Entry)>,
    pub before: Spec,
    pub world: Spec,
}

impl Ran {
    pub fn events(&self) -> impl DoubleEndedIterator<Item = (Ms, &Event)> {
        self.log.iter().filter_map(|(at, entry)| match entry {
            Entry::Event(event) => Some((*at, event.get())),
            _ => None,
        })
    }

    pub fn published(&self) -> Vec<Published> {
        published(&self.log)
    }

    /// The commands that were begun, in their order.
    pub fn commands(&self) -> Vec<&str> {
        let begun = self.log.iter().filter_map(|(_, entry)| match entry {
            Entry::ActBegan { command, .. } => Some(command.as_str()),
            _ => None,
        });
        begun.collect()
    }

    /// How long the world went on.
    pub fn took(&self) -> Ms {
        self.log.last().map_or(0, |(at, _)| at - self.before.at)
    }

    /// When its own verdict was given; a rollback comes behind it.
    pub fn decided_at(&self) -> Ms {
        let verdict = self.events().find(|(_, event)| matches!(event.body, Body::Verdict { .. }));
        verdict.map_or_else(|| self.took(), |(at, _)| at)
    }

    /// The log as a person reads it.
    pub fn told(&self) -> String {
        told(&self.log)
    }
}

pub fn published(log: &[(Ms, Entry)]) -> Vec<Published> {
    let events = log.iter().filter_map(|(_, entry)| match entry {
        Entry::Event(event) => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

pub fn told(log: &[(Ms, Entry)]) -> String {
    let mut text = String::new();
    for (at, entry) in log {
        let _ = match entry {
            Entry::Event(event) => {
                let event = event.get();
                let id = event.place.expect.as_deref().or(event.place.step.as_deref()).unwrap_or_default();
                let words = match &event.body {
                    Body::RunStarted { .. } => "RunStarted".to_owned(),
                    Body::ExpectEnded(result) => {
                        format!("ExpectEnded {:?} ×{} in {:?}", result.state, result.attempts, result.elapsed)
                    }
                    body => format!("{body:?}").chars().take(160).collect(),
                };
                writeln!(text, "{at:>8}  #{} {id} {:?} {words}", event.seq, event.place.part)
            }
            Entry::Synced => Ok(()),
            other => writeln!(text, "{at:>8}      {other:?}"),
        };
    }
    text
}

/// A runbook's text, checked. Panics with what is wrong with it.
#[track_caller]
pub fn program(text: &str) -> Arc<Program> {
    let input = Input { name: "t.runbook".to_owned(), path: None, bytes: text.as_bytes().to_vec(), kept: None };
    let settings = Settings { values_required: true, ..Settings::default() };
    let checked = check(input, &settings);
    match checked.program {
        Some(program) => Arc::new(program),
        None => panic!("{text}\n{:#?}", checked.diagnostics),
    }
}

fn real(world: &World) -> Real {
    let world = Arc::new(world.clone());
    Real { look: world.clone(), vouch: world.clone(), act: world.clone(), people: world.clone(), clock: world }
}

fn identity(run: Option<String>) -> Identity {
    Identity { run, by: "t".to_owned(), host: "h".to_owned() }
}

fn setup(program: &Arc<Program>, world: &World, driven: &Driven, cancel: &Cancel) -> Setup {
    Setup {
        program: program.clone(),
        world: real(world),
        options: driven.options.clone(),
        identity: identity(Some("r".to_owned())),
        redactor: Redactor::new(),
        cancel: cancel.clone(),
        outlets: Outlets { ledger: Some(Box::new(Recorder(world.clone()))), sinks: Vec::new() },
    }
}

/// Has a run go on in a world, on a held clock, with the signals that come meanwhile.
fn driven<F: Future<Output = Ended>>(spec: &Spec, driven: &Driven, run: impl FnOnce(World, Cancel) -> F) -> Ran {
    held(async {
        let world = World::new(spec.clone());
        let cancel = Cancel::new();
        let running = tokio::time::timeout(FOR_EVER, run(world.clone(), cancel.clone()));
        let signals = async {
            for (at, signal) in &driven.signals {
                sleep_until(world.began + Duration::from_millis(*at)).await;
                world.write(Entry::Signal(*signal));
                cancel.signal(*signal, Duration::from_millis(*at));
            }
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            biased;
            ended = running => ended.ok(),
            () = signals => None,
        };
        let state = world.lock();
        Ran { ended, log: state.log.clone(), before: spec.clone(), world: state.spec.clone() }
    })
}

fn held<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}

/// As `runbook exec`.
pub fn run(program: &Arc<Program>, spec: &Spec, with: &Driven) -> Ran {
    driven(spec, with, |world, cancel| exec(setup(program, &world, with, &cancel)))
}

/// As `runbook exec`, on a disk that is full from this event on.
pub fn run_on_full_disk(program: &Arc<Program>, spec: &Spec, with: &Driven, full_from: u64) -> Ran {
    driven(spec, with, |world, cancel| {
        world.lock().full_from = Some(full_from);
        exec(setup(program, &world, with, &cancel))
    })
}

/// As `runbook resume`.
pub fn resume(
    program: &Arc<Program>,
    spec: &Spec,
    past: &Past,
    decisions: &Decisions,
    with: &Driven,
) -> Result<Ran, Refused> {
    let refused = Mutex::new(None);
    let ran = driven(spec, with, |world, cancel| {
        let refused = &refused;
        async move {
            let looking = preflight(program.clone(), real(&world), Redactor::new(), past, decisions);
            match looking.await {
                Ok(footing) => {
                    let resumed = footing.told(past, &identity(None), None, None);
                    go_on(setup(program, &world, with, &cancel), past, footing, resumed).await
                }
                Err(why) => {
                    *refused.lock().expect("nobody panicked") = Some(why);
                    Ended { verdict: runbook::engine::events::event::Verdict::NoGo, cause: None, undone: false }
                }
            }
        }
    });
    match refused.into_inner().expect("nobody panicked") {
        Some(why) => Err(why),
        None => Ok(ran),
    }
}

/// As `runbook rollback`.
pub fn take_back(program: &Arc<Program>, spec: &Spec, past: &Past, with: &Driven) -> Ran {
    driven(spec, with, |world, cancel| roll_back(setup(program, &world, with, &cancel), past, "asked for".to_owned()))
}

/// As `runbook dry-run`: the log of a world that holds nothing which could act.
pub fn ahead(program: &Arc<Program>, spec: &Spec) -> Vec<(Ms, Entry)> {
    held(async {
        let world = World::new(spec.clone());
        let shared = Arc::new(world.clone());
        let read_only = ReadOnly { look: shared.clone(), vouch: shared.clone(), clock: shared };
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Recorder(world.clone()))];
        let options = Options::default();
        dry_run(program.clone(), read_only, &options, Trust::Sandboxed, Redactor::new(), sinks).await;
        let state = world.lock();
        state.log.clone()
    })
}
