//! What every backend has to do, asked through the engine's traits, native by native as `stdlib/` declares them.
//!
//! In: a world behind the traits, and which natives of it to ask. Out: what it got wrong, each with its request. Arguments
//! are hostile one at a time: empty, very long, with NUL bytes, of another script, negative, out of range.

#![allow(dead_code)]

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use runbook::check::library;
use runbook::check::program::{Effect, Library, Native, Program, Settings, Shell};
use runbook::check::{Input, check};
use runbook::engine::world::{
    Act, Announced, ArgValue, Confinement, Look, Outcome, Output, People, Question, Reply, Request, RunClock,
    ShellCommand, Trust, Vouch,
};
use runbook::engine::{Cancel, Identity, Options, Outlets, Real, Redactor, Setup, exec};
use runbook::value::{Answer, Number, Type, Value};
use tokio_util::sync::CancellationToken;

/// How long a question may take, and how much longer nobody complains on a machine that is at work.
const LIMIT: Duration = Duration::from_millis(1500);
const SLACK: Duration = Duration::from_secs(20);

/// How long something that was told to end may take (`engine::interpreter`), and the same slack.
const ENDING: Duration = Duration::from_secs(15);

pub fn stdlib() -> &'static Library {
    static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(library);
    &LIBRARY
}

/// Arguments, by their parameters.
pub type Args = Vec<(&'static str, Value)>;

/// What is asked.
pub struct Subject {
    pub look: Arc<dyn Look>,
    pub vouch: Arc<dyn Vouch>,
    pub act: Arc<dyn Act>,
    /// The folder that it may play in.
    pub root: Arc<std::path::Path>,
    /// The arguments of a native that does no harm: what is not said is left out, or has its default.
    pub plain: fn(&str, &std::path::Path) -> Args,
    /// Which hostile texts may be put where: none where a text could name what is not ours.
    pub texts: fn(native: &Native, param: &str) -> Vec<String>,
    /// What is not there.
    pub missing: fn(&str, &std::path::Path) -> Option<Args>,
}

/// Everything that reads, and everything that acts, of these modules.
pub fn natives(chosen: impl Fn(&str) -> bool) -> Vec<Arc<Native>> {
    let library = stdlib();
    let all = library.natives.values().chain(library.acting.values());
    let mut all: Vec<Arc<Native>> =
        all.filter(|native| native.effect != Effect::Function && chosen(&native.name)).cloned().collect();
    all.sort_by_key(|native| (native.name.clone(), native.effect == Effect::Action));
    all.dedup_by_key(|native| (native.name.clone(), native.effect == Effect::Action));
    all
}

/// Texts that no backend may stumble over.
pub fn hostile_texts() -> Vec<String> {
    vec![
        String::new(),
        " ".to_owned(),
        "a\0b".to_owned(),
        "\u{1f980} ü ẞ \u{202e}".to_owned(),
        "x".repeat(1 << 20),
        "-z".to_owned(),
        "../../../..".to_owned(),
        "a\nb\r\nc".to_owned(),
        "%00%0a".to_owned(),
        "\u{1b}[2J".to_owned(),
    ]
}

/// Values that a parameter of this type can be given, and should not be.
fn hostile(subject: &Subject, native: &Native, param: &str, ty: &Type) -> Vec<ArgValue> {
    let texts = || (subject.texts)(native, param);
    let values: Vec<Value> = match ty {
        Type::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Type::Number => [-1, 0, 70_000, i64::MIN, i64::MAX].map(|number| Value::Number(Number::Int(number))).into(),
        Type::Duration => {
            [0, -1, i64::MAX, i64::MIN].map(|seconds| Value::Duration(SignedDuration::from_secs(seconds))).into()
        }
        Type::Size => [-1, 0, i64::MAX].map(Value::Size).into(),
        Type::Time => vec![Value::Time(Timestamp::MIN), Value::Time(Timestamp::MAX)],
        Type::String | Type::Url | Type::Path | Type::Any => texts().into_iter().map(Value::text).collect(),
        Type::Json => {
            let deep = (0..200).fold(Value::Null, |inner, _| Value::list([inner]));
            let mut values = vec![Value::Null, deep, Value::list([])];
            values.extend(texts().into_iter().map(Value::text));
            values
        }
        Type::List(_) | Type::Names(_) => {
            let mut lists = vec![Value::list([])];
            lists.extend(texts().into_iter().map(|text| Value::list([Value::text(text)])));
            if matches!(ty, Type::List(_)) && !texts().is_empty() {
                lists.push(Value::list((0..2000).map(|_| Value::text("x"))));
            }
            lists
        }
        Type::Map(_) => {
            let mut maps = vec![Value::map::<String>([])];
            for text in texts() {
                maps.push(Value::map([(text.clone(), Value::text("x"))]));
                maps.push(Value::map([("X".to_owned(), Value::text(text))]));
            }
            maps.push(Value::map([("A=B".to_owned(), Value::text("x"))]));
            maps
        }
        Type::Shell => {
            let mut commands: Vec<ArgValue> =
                ["", "exit 3", "kill -9 $$", "exit 300", "\u{1f980}", "cat", "exec >&- 2>&-"]
                    .map(|source| {
                        ArgValue::Shell(ShellCommand { shell: Shell::Sh, source: source.to_owned(), env: Vec::new() })
                    })
                    .into();
            for text in texts() {
                let env = vec![("X".to_owned(), Value::text(text))];
                commands.push(ArgValue::Shell(ShellCommand {
                    shell: Shell::Sh,
                    source: "printf %s \"$X\" | head -c 9".to_owned(),
                    env,
                }));
            }
            return commands;
        }
        Type::Percent | Type::Key | Type::Record(_) | Type::Item => Vec::new(),
    };
    values.into_iter().map(ArgValue::Value).collect()
}

fn request(subject: &Subject, native: &Arc<Native>, said: Vec<(Arc<str>, ArgValue)>) -> Request {
    // As the engine does: what is not said has its default, where it has one.
    let args = native.params.iter().filter_map(|param| {
        let said = said.iter().find(|(name, _)| *name == param.name).cloned();
        said.or_else(|| Some((param.name.clone(), ArgValue::Value(param.default.clone()?))))
    });
    Request {
        native: native.clone(),
        args: args.collect(),
        wants: None,
        limit: LIMIT,
        root: subject.root.clone(),
        withheld: [].into(),
        secrets: Redactor::new(),
    }
}

fn plain(subject: &Subject, native: &Native) -> Vec<(Arc<str>, ArgValue)> {
    let mut said: Vec<(Arc<str>, ArgValue)> = (subject.plain)(&native.name, &subject.root)
        .into_iter()
        .map(|(name, value)| (name.into(), ArgValue::Value(value)))
        .collect();
    if let Some(param) = native.params.iter().find(|param| param.ty == Type::Shell)
        && said.iter().all(|(name, _)| *name != param.name)
    {
        let command = ShellCommand { shell: Shell::Sh, source: "echo plain".to_owned(), env: Vec::new() };
        said.push((param.name.clone(), ArgValue::Shell(command)));
    }
    said
}

/// The plain request of a native, and all that differ from it in one hostile argument.
fn requests(subject: &Subject, native: &Arc<Native>) -> Vec<Request> {
    let plain = plain(subject, native);
    let mut all = vec![request(subject, native, plain.clone())];
    for param in &native.params {
        for value in hostile(subject, native, &param.name, &param.ty) {
            let mut said: Vec<_> = plain.iter().filter(|(name, _)| *name != param.name).cloned().collect();
            said.push((param.name.clone(), value));
            all.push(request(subject, native, said));
        }
    }
    all
}

/// Whether an answer is what its declaration says.
pub fn conforms(answer: &Answer, ty: &Type, optional: bool, wants: Option<&[Arc<str>]>) -> Result<(), String> {
    match answer {
        Answer::Unknown(unknown) if unknown.reason.trim().is_empty() => Err("unknown without a reason".to_owned()),
        Answer::Unknown(_) => Ok(()),
        Answer::Absent(_) if optional => Ok(()),
        Answer::Absent(why) => Err(format!("absent ({}), and declared as always there", why.0)),
        Answer::Known(value) => fits(value, ty, wants),
    }
}

fn fits(value: &Value, ty: &Type, wants: Option<&[Arc<str>]>) -> Result<(), String> {
    let value = value.unsealed();
    match (ty, value) {
        (Type::Any | Type::Json, _) => Ok(()),
        (Type::Bool, Value::Bool(_))
        | (Type::Number, Value::Number(_))
        | (Type::String | Type::Url | Type::Path, Value::Text(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Size, Value::Size(_))
        | (Type::Percent, Value::Percent(_))
        | (Type::Time, Value::Time(_)) => Ok(()),
        (Type::List(of), Value::List(items)) => items.iter().try_for_each(|item| fits(item, of, None)),
        (Type::Map(of), Value::Map(map)) => map.entries.values().try_for_each(|value| fits(value, of, None)),
        (Type::Record(name), Value::Record(record)) if *name == record.name => {
            let declared = stdlib().records.get(name).ok_or_else(|| format!("no record `{name}` is declared"))?;
            if let Some(field) = record.fields.keys().find(|field| !declared.fields.contains_key(*field)) {
                return Err(format!("`{name}.{field}` is not declared"));
            }
            for (field, of) in &declared.fields {
                let wanted = wants.is_none_or(|wants| wants.contains(field));
                match record.fields.get(field) {
                    Some(answer) => {
                        conforms(answer, &of.ty, of.optional, None).map_err(|why| format!("`{name}.{field}`: {why}"))?
                    }
                    None if wanted => return Err(format!("`{name}.{field}` is declared, and not told")),
                    None => {}
                }
            }
            Ok(())
        }
        (ty, value) => Err(format!("{} where {ty} is declared", value.kind())),
    }
}

fn kind(answer: &Answer) -> String {
    match answer {
        Answer::Known(value) => value.kind().to_owned(),
        Answer::Absent(_) => "absent".to_owned(),
        Answer::Unknown(_) => "unknown".to_owned(),
    }
}

fn shown(request: &Request) -> String {
    let brief = |text: &str| match text.chars().nth(100) {
        Some(_) => format!("{:?}… ({} bytes)", text.chars().take(20).collect::<String>(), text.len()),
        None => format!("{text:?}"),
    };
    let value = |value: &Value| match value {
        Value::Text(text) => brief(text),
        Value::List(items) if items.len() > 5 => format!("a list of {}", items.len()),
        Value::List(items) => {
            let items = items.iter().map(|item| item.to_text().map_or_else(|| "…".to_owned(), |text| brief(&text)));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Map(map) => {
            let entries = map.entries.iter().map(|(key, value)| {
                format!("{}: {}", brief(key), value.to_text().map_or_else(|| "…".to_owned(), |text| brief(&text)))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => brief(&format!("{other:?}")),
    };
    let args = request.args.iter().map(|(name, arg)| match arg {
        ArgValue::Value(arg) => format!("{name}: {}", value(arg)),
        ArgValue::Shell(command) => {
            let env = command.env.iter().map(|(_, arg)| value(arg)).collect::<Vec<_>>();
            format!("{name}: {:?} with {}", command.source, env.join(", "))
        }
    });
    format!("{} {}", request.native.name, args.collect::<Vec<_>>().join(", "))
}

/// What went wrong, and how much was asked.
#[derive(Default)]
pub struct Found {
    pub asked: u32,
    pub wrong: Vec<String>,
}

impl Found {
    fn check(&mut self, request: &str, what: Result<(), String>) {
        if let Err(why) = what {
            self.wrong.push(format!("{request}\n    {why}"));
        }
    }
}

/// Asks a native that reads. In a task of its own: that it panics is found.
async fn ask(subject: &Subject, request: Request) -> Result<Answer, String> {
    let vouched = request.native.effect == Effect::Vouched;
    let asking: BoxFuture<'static, Answer> = match vouched {
        true => {
            let asked = subject.vouch.ask(request, Trust::AuthorsWord);
            Box::pin(async move { asked.await.0 })
        }
        false => subject.look.look(request),
    };
    let began = Instant::now();
    match tokio::time::timeout(LIMIT + SLACK, tokio::spawn(asking)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("it panics: {error}")),
        Err(_) => Err(format!("no answer after {:?}, of {LIMIT:?} that it may take", began.elapsed())),
    }
}

/// Every native that reads: typed as declared, in its time, whatever it is given, and the same when it is asked again.
pub async fn probes(subject: &Subject, natives: &[Arc<Native>]) -> Found {
    let mut found = Found::default();
    for native in natives.iter().filter(|native| native.effect != Effect::Action) {
        let began = Instant::now();
        let typed = |answer: &Answer, wants: Option<&[Arc<str>]>| {
            conforms(answer, &native.returns, native.returns_optional, wants)
        };
        for (nth, request) in requests(subject, native).into_iter().enumerate() {
            let words = shown(&request);
            found.asked += 1;
            let answer = match ask(subject, request.clone()).await {
                Ok(answer) => answer,
                Err(why) => {
                    found.check(&words, Err(why));
                    continue;
                }
            };
            found.check(&words, typed(&answer, None));
            if nth > 0 {
                continue;
            }
            // The plain one, once more: of the same kind.
            let again = ask(subject, request.clone()).await;
            let same = again.as_ref().is_ok_and(|again| kind(again) == kind(&answer));
            found.check(&words, same.then_some(()).ok_or(format!("{}, and asked again {again:?}", kind(&answer))));
            // Whoever lets go of it waits for nothing, and harms nobody.
            for wait in [0, 1, 20] {
                let letting_go = ask(subject, request.clone());
                let _ = tokio::time::timeout(Duration::from_millis(wait), letting_go).await;
            }
            // Of what is wanted nothing is missing, and it is of its type.
            if let Type::Record(name) = &native.returns
                && let Some(record) = stdlib().records.get(name)
            {
                for field in record.fields.keys() {
                    let wants: Arc<[Arc<str>]> = [field.clone()].into();
                    let asked = Request { wants: Some(wants.clone()), ..request.clone() };
                    found.asked += 1;
                    let words = format!("{words}, wants {field}");
                    match ask(subject, asked).await {
                        Ok(answer) => {
                            found.check(&words, typed(&answer, Some(&wants)));
                            let whole = !subject.look.heeds_wants(native);
                            if whole && native.effect == Effect::Probe {
                                found.check(&words, typed(&answer, None));
                            }
                        }
                        Err(why) => found.check(&words, Err(why)),
                    }
                }
            }
        }
        if let Some(args) = (subject.missing)(&native.name, &subject.root) {
            let said = args.into_iter().map(|(name, value)| (name.into(), ArgValue::Value(value))).collect();
            let request = request(subject, native, said);
            let words = shown(&request);
            found.asked += 1;
            match ask(subject, request).await {
                Ok(Answer::Known(value)) => {
                    found.check(&words, Err(format!("{} of what is not there", value.kind())));
                }
                Ok(_) => {}
                Err(why) => found.check(&words, Err(why)),
            }
        }
        if began.elapsed() > Duration::from_secs(2) {
            println!("  {} took {:.1?}", native.name, began.elapsed());
        }
    }
    found
}

/// Every native that acts: ends in its time, told as declared, whatever it is given; told to end, it does.
pub async fn actions(subject: &Subject, natives: &[Arc<Native>]) -> Found {
    let mut found = Found::default();
    for native in natives.iter().filter(|native| native.effect == Effect::Action) {
        for (nth, request) in requests(subject, native).into_iter().enumerate() {
            // Told to end at once, after a while, and not at all.
            for told in [None, Some(Duration::ZERO), Some(Duration::from_millis(15))] {
                if nth > 0 && nth % 7 != 0 && told.is_some() {
                    continue;
                }
                let words = format!("run {}, told to end: {told:?}", shown(&request));
                found.asked += 1;
                let limit = LIMIT + ENDING + SLACK;
                match act(subject.act.clone(), request.clone(), told, limit).await {
                    Ok(Outcome { result, failure }) => {
                        found.check(&words, conforms(&result, &native.returns, native.returns_optional, None));
                        let said = failure.as_ref().is_none_or(|why| !why.trim().is_empty());
                        found.check(&words, said.then_some(()).ok_or("it fails, and does not say why".to_owned()));
                    }
                    Err(why) => found.check(&words, Err(why)),
                }
            }
        }
    }
    found
}

/// Carries out a request as the engine would: only what is announced may be done, so it goes along with an action that the
/// engine announces.
pub async fn act(
    act: Arc<dyn Act>,
    request: Request,
    told_after: Option<Duration>,
    limit: Duration,
) -> Result<Outcome, String> {
    let outcome: Arc<Mutex<Option<Outcome>>> = Arc::default();
    let swapped = Arc::new(Swapped { act, request, told_after, outcome: outcome.clone() });
    static PROGRAM: LazyLock<Arc<Program>> = LazyLock::new(|| {
        let text = "runbook \"Act\" { proof = none }\nstep act {\n  run \"true\"\n}\n";
        let input = Input { name: "act.runbook".to_owned(), path: None, bytes: text.as_bytes().to_vec(), kept: None };
        Arc::new(check(input, &Settings::default()).program.expect("a runbook"))
    });
    let real = Real {
        look: swapped.clone(),
        vouch: swapped.clone(),
        act: swapped.clone(),
        people: swapped.clone(),
        clock: Arc::new(RunClock::start()),
    };
    let setup = Setup {
        program: PROGRAM.clone(),
        world: real,
        options: Options::default(),
        identity: Identity { run: None, by: "t".to_owned(), host: "h".to_owned() },
        redactor: Redactor::new(),
        cancel: Cancel::new(),
        outlets: Outlets::default(),
    };
    let running = std::panic::AssertUnwindSafe(exec(setup));
    match tokio::time::timeout(limit, futures_util::FutureExt::catch_unwind(running)).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => return Err("it panics".to_owned()),
        Err(_) => return Err(format!("it did not end within {limit:?}")),
    }
    let outcome = outcome.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    outcome.ok_or_else(|| "it was not carried out".to_owned())
}

/// Carries out another request than the one that was announced.
struct Swapped {
    act: Arc<dyn Act>,
    request: Request,
    told_after: Option<Duration>,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Act for Swapped {
    fn act(
        &self,
        announced: Announced,
        _: Request,
        output: Arc<dyn Output>,
        _: CancellationToken,
    ) -> BoxFuture<'static, Outcome> {
        let cancel = CancellationToken::new();
        let acting = self.act.act(announced, self.request.clone(), output, cancel.clone());
        // As the engine does at a time limit.
        let told_after = self.told_after.unwrap_or(self.request.limit);
        let told = self.outcome.clone();
        Box::pin(async move {
            tokio::pin!(acting);
            let outcome = match tokio::time::timeout(told_after, &mut acting).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    cancel.cancel();
                    acting.await
                }
            };
            *told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(outcome.clone());
            outcome
        })
    }
}

impl Look for Swapped {
    fn look(&self, _: Request) -> BoxFuture<'static, Answer> {
        Box::pin(std::future::ready(Answer::absent("nothing is asked")))
    }
}

impl Vouch for Swapped {
    fn ask(&self, _: Request, _: Trust) -> BoxFuture<'static, (Answer, Confinement)> {
        Box::pin(std::future::ready((Answer::absent("nothing is asked"), Confinement::NotAsked)))
    }
}

impl People for Swapped {
    fn ask(&self, _: Question) -> BoxFuture<'static, Result<Reply, String>> {
        Box::pin(std::future::ready(Err("nobody is asked".to_owned())))
    }
}
