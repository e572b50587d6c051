//! Commands of this host: `shell.run`, `shell.exec`, and the vouched probe `sh`.
//!
//! In: a command with its environment and input. Out: what it came to, and what it printed, as it prints it. The whole
//! process tree of a command ends with its time limit, with a cancel, and with the death of this program.

mod command;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::engine::world::{Confinement, Outcome, Output, Request, Trust};
use crate::process::sandbox::{Network, Sandbox};
use crate::value::{Answer, Number, UnknownCause, Value};

use super::native::{Order, Registered, action, vouched};

pub(super) use command::Kept;
use command::{Command, Ended};

pub(super) const NATIVES: &[Registered] = &[
    action("shell.run", |_, order| act(order).boxed()),
    action("shell.exec", |_, order| act(order).boxed()),
    vouched("sh", |_, request, trust| probe(request, trust).boxed()),
];

/// `run "…"`, `run […]`
async fn act(order: Order) -> Outcome {
    let Order { request, output, cancel, .. } = order;
    match Command::of(&request) {
        Ok(command) => carry_out(command, accepted(&request), output, cancel).await,
        Err(why) => not_started(&why),
    }
}

/// A command that another backend makes of a request, in the request's environment.
pub(super) async fn act_on(
    request: &Request,
    program: Vec<String>,
    dir: PathBuf,
    output: Arc<dyn Output>,
    cancel: CancellationToken,
) -> Outcome {
    match Command::new(program, dir).surrounded(request) {
        Ok(command) => carry_out(command, vec![0], output, cancel).await,
        Err(why) => not_started(&why),
    }
}

/// What a command that only reads says to its standard output; else why it did not, as the end of a sentence. Made for
/// a request, it runs in that one's environment.
pub(super) async fn said(
    request: Option<&Request>,
    program: Vec<String>,
    dir: PathBuf,
    limit: Duration,
) -> Result<String, String> {
    let command = Command::new(program, dir);
    let command = match request {
        Some(request) => command.surrounded(request)?,
        None => command,
    };
    let cancel = CancellationToken::new();
    // Dropped with the question, it ends the command.
    let end = cancel.clone().drop_guard();
    let running = tokio::spawn(command.run(None, cancel, None));
    let ended = match tokio::time::timeout(limit, running).await {
        Ok(Ok(ended)) => ended.map_err(|why| format!("could not be started: {why}"))?,
        Ok(Err(_)) => return Err("could not be waited for".to_owned()),
        Err(_) => return Err("did not end in time".to_owned()),
    };
    drop(end);
    match failure(&ended, &[0]) {
        None => Ok(ended.stdout.text()),
        Some(failure) => {
            let stderr = ended.stderr.text();
            let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).take(5).collect();
            Err(format!("{failure}: {}", lines.join("; ")))
        }
    }
}

/// The exit codes that are no failure. What says that a command could not be run is none of them.
fn accepted(request: &Request) -> Vec<i64> {
    let codes = request.list("accept").unwrap_or_default().iter();
    let codes = codes.filter_map(|code| match code.unsealed() {
        Value::Number(code) => code.as_i64(),
        _ => None,
    });
    codes.filter(|code| !matches!(code, 126 | 127)).collect()
}

async fn carry_out(command: Command, accept: Vec<i64>, output: Arc<dyn Output>, cancel: CancellationToken) -> Outcome {
    match command.run(Some(output), cancel, None).await {
        Ok(ended) => {
            let failure = failure(&ended, &accept);
            Outcome { result: record(&ended), failure }
        }
        Err(why) => not_started(&why),
    }
}

fn not_started(why: &str) -> Outcome {
    let result = Answer::unknown(UnknownCause::Invalid, format!("it was not started: {why}"));
    Outcome { result, failure: Some(format!("could not be started: {why}")) }
}

/// `sh("…")`
async fn probe(request: Request, trust: Trust) -> (Answer, Confinement) {
    let network = request.bool("network") == Some(true);
    let reach = if network { Network::Allowed } else { Network::Refused };
    if network && trust == Trust::Sandboxed {
        let reason = "it was not run: no sandbox holds what it asks over the network; `--trust-probes` runs it";
        return (Answer::unknown(UnknownCause::NotTrusted, reason), Confinement::NotAsked);
    }
    let (sandbox, confinement) = match (Sandbox::new(reach), trust) {
        (Ok(sandbox), _) if network => (Some(sandbox), Confinement::Network),
        (Ok(sandbox), _) => (Some(sandbox), Confinement::Sandbox),
        (Err(_), Trust::AuthorsWord) => (None, Confinement::Trusted),
        (Err(why), Trust::Sandboxed) => {
            let reason =
                format!("it was not run: {why}, so nothing would hold it to only looking; `--trust-probes` runs it");
            return (Answer::unknown(UnknownCause::NotTrusted, reason), Confinement::NotAsked);
        }
    };
    let command = match Command::of(&request) {
        Ok(command) => command,
        Err(why) => return (Answer::unknown(UnknownCause::Invalid, format!("it was not started: {why}")), confinement),
    };
    let cancel = CancellationToken::new();
    let limit = request.duration("timeout").unwrap_or(request.limit);
    let running = command.run(None, cancel.clone(), sandbox);
    tokio::pin!(running);
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = tokio::time::sleep(limit) => {
            cancel.cancel();
            let _ = running.await;
            let limit = crate::value::display::duration_text(limit.try_into().unwrap_or_default());
            let reason = format!("it had not ended within {limit}, and was ended");
            return (Answer::unknown(UnknownCause::NoAnswer, reason), confinement);
        }
    };
    let answer = match ended {
        Err(why) => Answer::unknown(UnknownCause::Invalid, format!("it was not started: {why}")),
        Ok(ended) => match ended.refusals.reason().or_else(|| lost(&ended, confinement)) {
            Some(reason) => Answer::unknown(UnknownCause::Denied, reason),
            None => record(&ended),
        },
    };
    (answer, confinement)
}

/// What root is told in the sandbox, and would not be told outside: root has no capabilities there but those to read, and
/// elsewhere is refused next to nothing. For other users it is a fact: outside, they have no more rights than in it.
fn lost(ended: &Ended, confinement: Confinement) -> Option<String> {
    if ended.status == Some(0) || confinement != Confinement::Sandbox || !rustix::process::geteuid().is_root() {
        return None;
    }
    let stderr = ended.stderr.text();
    let words = ["permission denied", "not permitted", "read-only file system", "bad system call"];
    let line = stderr.lines().find(|line| {
        let line = line.to_lowercase();
        words.iter().any(|words| line.contains(words))
    })?;
    Some(format!("the sandbox, which takes capabilities from root, may have refused it: {line}"))
}

/// Why it failed. `accept`: the exit codes that are no failure, a signal as 128 and its number.
fn failure(ended: &Ended, accept: &[i64]) -> Option<String> {
    if ended.cancelled {
        return Some("it was ended".to_owned());
    }
    match (ended.status, ended.signal) {
        (Some(status), _) if accept.contains(&i64::from(status)) => None,
        (None, Some(signal)) if accept.contains(&(128 + i64::from(signal))) => None,
        (Some(status), _) => Some(format!("ended with status {status}")),
        (None, Some(signal)) => Some(format!("was ended by {}", signal_name(signal))),
        (None, None) => Some("ended, and it can't be told how".to_owned()),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGSYS => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

fn record(ended: &Ended) -> Answer {
    result(ended.status, ended.signal, &ended.stdout, &ended.stderr, ended.time)
}

/// What a command came to, as a record.
pub(super) fn result(
    status: Option<i32>,
    signal: Option<i32>,
    stdout: &Kept,
    stderr: &Kept,
    time: std::time::Duration,
) -> Answer {
    let truncated = stdout.truncated() || stderr.truncated();
    let stdout = stdout.text();
    let known = Answer::Known;
    let status = match status {
        Some(status) => known(Value::Number(Number::Int(i64::from(status)))),
        None => Answer::absent("a signal ended it"),
    };
    let signal = match signal {
        Some(signal) => known(Value::text(signal_name(signal))),
        None => Answer::absent("it ended by itself"),
    };
    known(Value::record(
        "shell.result",
        [
            ("status", status),
            ("signal", signal),
            ("text", known(Value::text(stdout.trim_end_matches(['\n', '\r'])))),
            ("stdout", known(Value::text(stdout.as_str()))),
            ("stderr", known(Value::text(stderr.text()))),
            ("time", known(Value::Duration(super::measured(time)))),
            ("truncated", known(Value::Bool(truncated))),
        ],
    ))
}
