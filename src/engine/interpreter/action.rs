//! Carrying out one action: its deadline, what it prints, what it came to.

use std::sync::Arc;
use std::time::Duration;

use crate::check::library::field_kind;
use crate::check::program::{Call, FieldKind, NativeChanges, Run};
use crate::diagnostic::Span;
use crate::value::{Answer, Record, Sealed, Value, display};

use crate::engine::cancel::Flag;
use crate::engine::evaluation::ask;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::evaluation::eval::Eval;
use crate::engine::evaluation::facts::Change;
use crate::engine::events::event::{Body, Seconds};
use crate::engine::events::printed::Printed;
use crate::engine::wording::{describe, evidence};
use crate::engine::world::{Act, Announced, ArgValue, Outcome};

/// How long an action that was told to end may take to do so, before it is no longer waited for.
const ENDING: Duration = Duration::from_secs(15);

/// Why an action failed, for its handler.
pub struct Failed {
    pub action: String,
    pub reason: String,
    /// The last of what it printed.
    pub output: String,
    pub status: Option<i64>,
    pub span: Span,
}

/// What an action would change: what its author says, or its native declares.
pub async fn change(eval: &Eval<'_>, run: &Run, call: &Call, args: Option<&[(Arc<str>, ArgValue)]>) -> Change {
    if let Some(keys) = &run.changes {
        return Change::Keys(eval.keys(keys).await);
    }
    match &call.native.changes {
        NativeChanges::Everything => Change::Everything,
        NativeChanges::Nothing => Change::Keys(Vec::new()),
        NativeChanges::Keys(patterns) => Change::Keys(
            patterns
                .iter()
                .flat_map(|pattern| ask::fact_keys(pattern, &call.native, args.unwrap_or_default()))
                .collect(),
        ),
    }
}

/// Carries out an action of the stdlib. Its result is bound even where it fails.
pub async fn carry_out(
    core: &Core,
    act: &Arc<dyn Act>,
    site: &Site,
    run: &Run,
    call: &Call,
    cancel: &Flag,
    started: impl FnOnce(bool),
) -> Result<(), Failed> {
    let round = ask::Round::new();
    let eval = Eval::new(core, site, &round);
    let action = eval.action(run).await;
    let failed = |reason: String, output: String, status| Failed {
        action: action.clone(),
        reason,
        output,
        status,
        span: run.span,
    };
    let args = match eval.args(call).await {
        Ok(args) => args,
        Err(answer) => {
            let error = format!("was not started: {}", describe::brief(core.redactor(), &answer));
            not_started(core, site, run, &action, &error);
            return Err(failed(error, String::new(), None));
        }
    };
    let changes = change(&eval, run, call, Some(&args)).await.to_event(&core.program.root);
    let request = eval.request(call, args);
    let limit = request.limit;
    let changes_something = !changes.is_nothing();
    let body = Body::ActionStarted { action: action.clone(), changes, limit: Some(limit.into()) };
    // A disk may take long; what was told to end in the meantime does not start.
    let announced = match core.emitter.announce(core.place(site, run.span), body).await {
        Ok(announced) if cancel.cause().is_none() => announced,
        Ok(_) => {
            let why = cancel.cause().map(|cause| cause.to_string()).unwrap_or_default();
            let error = format!("was not started: {why}");
            not_started(core, site, run, &action, &error);
            return Err(failed(error, String::new(), None));
        }
        Err(error) => {
            not_started(core, site, run, &action, &error);
            return Err(failed(error, String::new(), None));
        }
    };
    started(changes_something);

    let printed = Arc::new(Printed::new(core, core.place(site, run.span), run.sensitive));
    let (outcome, elapsed) = in_time(act, announced, request, printed.clone(), limit, cancel, core).await;
    printed.finish(core);
    let result = match &run.bind {
        Some((name, _)) if run.sensitive => sealed(name, outcome.result.clone()),
        _ => outcome.result.clone(),
    };

    core.emit(
        site,
        run.span,
        Body::ActionEnded {
            action: action.clone(),
            ok: outcome.failure.is_none(),
            error: outcome.failure.clone(),
            elapsed: elapsed.into(),
            data: run.bind.as_ref().and_then(|_| core.recorded(&result)),
            assumed: None,
        },
    );
    let status = status(&outcome.result);
    if let Some((_, var)) = &run.bind {
        core.slots.bind(*var, result.into());
    }
    match outcome.failure {
        None => Ok(()),
        // Out of its answer a secret is captured: nothing of it is told.
        Some(reason) if run.sensitive => Err(failed(reason, printed.tail(), status)),
        Some(reason) => Err(failed(evidence::with(core.redactor(), reason, &outcome.result), printed.tail(), status)),
    }
}

/// An action whose start was not even announced has an end all the same: what was come to is told.
fn not_started(core: &Core, site: &Site, run: &Run, action: &str, error: &str) {
    let body = Body::ActionEnded {
        action: action.to_owned(),
        ok: false,
        error: Some(error.to_owned()),
        elapsed: Seconds::default(),
        data: None,
        assumed: None,
    };
    core.emit(site, run.span, body);
}

async fn in_time(
    act: &Arc<dyn Act>,
    announced: Announced,
    request: crate::engine::world::Request,
    printed: Arc<Printed>,
    limit: Duration,
    cancel: &Flag,
    core: &Core,
) -> (Outcome, Duration) {
    let began = tokio::time::Instant::now();
    let token = tokio_util::sync::CancellationToken::new();
    let native = request.native.name.clone();
    let running = act.act(announced, request, printed.clone(), token.clone());
    tokio::pin!(running);
    let mut flush = tokio::time::interval(Duration::from_millis(200));
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let ended_for = loop {
        tokio::select! {
            biased;
            outcome = &mut running => return (outcome, began.elapsed()),
            reason = cancel.raised() => break format!("did not end before the run had to: {reason}"),
            () = tokio::time::sleep_until(began + limit) => {
                let limit = display::duration_text(limit.try_into().unwrap_or_default());
                break format!("did not end within {limit}");
            }
            _ = flush.tick(), if core.emitter.has_room() => printed.flush(core),
        }
    };
    token.cancel();
    let outcome = match tokio::time::timeout(ENDING, running).await {
        Ok(outcome) => Outcome { failure: Some(format!("{ended_for}; it was ended")), ..outcome },
        Err(_) => Outcome {
            result: Answer::unknown(
                crate::value::UnknownCause::NoAnswer,
                format!("`{native}` did not end when told to"),
            ),
            failure: Some(format!("{ended_for}; it was told to end, and had not after {}s", ENDING.as_secs())),
        },
    };
    (outcome, began.elapsed())
}

fn status(result: &Answer) -> Option<i64> {
    match result.known().map(Value::unsealed) {
        Some(Value::Record(record)) => match record.get("status")?.known()? {
            Value::Number(number) => number.as_i64(),
            _ => None,
        },
        _ => None,
    }
}

/// A result out of which a secret is captured: what was answered is sealed, so that nothing shows it in full.
fn sealed(name: &Arc<str>, result: Answer) -> Answer {
    let seal = |value: Value| Value::Secret(Sealed::new(format!("in {name}"), value));
    match result {
        Answer::Known(Value::Record(record)) => {
            let fields = record
                .fields
                .iter()
                .map(|(field, answer)| {
                    let answer = match answer {
                        Answer::Known(value) if field_kind(&record.name, field) != Some(FieldKind::Open) => {
                            Answer::Known(seal(value.clone()))
                        }
                        other => other.clone(),
                    };
                    (field.clone(), answer)
                })
                .collect();
            Answer::Known(Value::Record(Arc::new(Record { name: record.name.clone(), fields })))
        }
        Answer::Known(value) => Answer::Known(seal(value)),
        other => other,
    }
}

/// As a reason: what failed, and how.
impl From<Failed> for String {
    fn from(failed: Failed) -> String {
        format!("`{}` {}", failed.action, failed.reason)
    }
}
