//! `docker`: the engine at its socket (or `DOCKER_HOST`), by bollard, over connections that are kept.
//!
//! In: requests of containers by name. Out: records of what the engine says, or why it can't be told. What is not there is
//! absent; an engine that does not answer is unknown, and never "no such container".

mod act;
mod command;
mod connect;
mod container;
mod engine;
mod file;
mod inside;
mod listed;
mod logs;
mod stats;
mod things;

pub(super) use container::Labelled;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bollard::Docker as Client;
use bollard::errors::Error;
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::engine::world::{Outcome, Request};
use crate::value::{Answer, Number, Unknown, UnknownCause, Value};

use super::native::{Order, Probe, Registered, action, probe, vouched};
use act::{Change, What};

macro_rules! asked {
    (|$docker:ident, $request:ident| $asking:expr) => {
        |eyes, request| {
            let $docker = eyes.backends.docker.clone();
            super::in_time(request, move |$request| async move { $asking.await })
        }
    };
}

macro_rules! done {
    ($what:expr) => {
        |hands, order| hands.backends.docker.act($what, order).boxed()
    };
}

pub(super) const NATIVES: &[Registered] = &[
    probe("docker.engine", asked!(|docker, _request| docker.engine())),
    probe("docker.container", asked!(|docker, request| docker.container(&request))),
    probe("docker.containers", asked!(|docker, request| docker.containers(&request))),
    probe("docker.file", asked!(|docker, request| docker.file(&request))).by_field(),
    probe("docker.image", asked!(|docker, request| docker.image(&request))),
    probe("docker.images", asked!(|docker, request| docker.images(&request))),
    probe("docker.logs", asked!(|docker, request| docker.logs(&request))),
    probe("docker.network", asked!(|docker, request| docker.network(&request))),
    probe("docker.networks", asked!(|docker, request| docker.networks(&request))),
    probe("docker.processes", asked!(|docker, request| docker.processes(&request))),
    probe("docker.stats", asked!(|docker, request| docker.stats(&request))).by_field(),
    probe("docker.volume", asked!(|docker, request| docker.volume(&request))),
    probe("docker.volumes", asked!(|docker, request| docker.volumes(&request))),
    vouched("docker.exec", |eyes, request, trust| {
        let asking: Probe = asked!(|docker, request| docker.asked(&request));
        super::on_trust(trust, ONLY_LOOKS, asking(eyes, request)).boxed()
    }),
    action("docker.exec", done!(What::Exec)),
    action("docker.start", done!(What::Each(Change::Start))),
    action("docker.stop", done!(What::Each(Change::Stop))),
    action("docker.restart", done!(What::Each(Change::Restart))),
    action("docker.kill", done!(What::Each(Change::Kill))),
    action("docker.pause", done!(What::Each(Change::Pause))),
    action("docker.unpause", done!(What::Each(Change::Unpause))),
    action("docker.remove", done!(What::Each(Change::Remove))),
];

/// Why a dry run does not run a program in a container.
const ONLY_LOOKS: &str = "its author vouches that it only looks, and no sandbox of this host reaches into a container";

const NO_SOCKET: &str = "there is no such socket; is Docker installed, and running?";

/// The engine, asked for when it is first needed.
#[derive(Clone, Default)]
pub(super) struct Docker {
    engine: Arc<OnceCell<connect::Engine>>,
    /// Of each container that was looked into: its first process.
    processes: Arc<Mutex<HashMap<String, file::FirstProcess>>>,
}

impl Docker {
    /// Something that changes containers.
    fn act(&self, what: What, order: Order) -> impl Future<Output = Outcome> + Send + 'static {
        let docker = self.clone();
        let Order { request, output, cancel, .. } = order;
        async move {
            tokio::select! {
                outcome = docker.carry_out(what, &request, output) => outcome,
                // The engine goes on with what it was told; whether it comes to an end is not known.
                () = cancel.cancelled() => {
                    let unknown = Unknown::new(UnknownCause::NoAnswer, "it was not waited for any more");
                    Outcome { failure: Some(unknown.reason.to_string()), result: Answer::Unknown(unknown) }
                }
            }
        }
    }

    async fn client(&self) -> Result<&Client, Unknown> {
        self.found().await.map(|engine| &engine.client)
    }

    /// For an answer that is a stream: whoever reads it says so of each piece.
    async fn streaming(&self) -> Result<(Client, connect::Budget), Unknown> {
        self.found().await?.streaming().map_err(|error| no_answer(&error))
    }

    async fn found(&self) -> Result<&connect::Engine, Unknown> {
        let found = || async { connect::Engine::find().await.map_err(|error| no_answer(&error)) };
        self.engine.get_or_try_init(found).await
    }
}

/// The name or id of a container: nothing else may stand in the path of a request.
fn name(request: &Request) -> Result<&str, Unknown> {
    named(request, "name")
}

/// As [`name`], of another parameter.
fn named<'r>(request: &'r Request, param: &str) -> Result<&'r str, Unknown> {
    checked(request.text(param).unwrap_or_default())
}

fn checked(name: &str) -> Result<&str, Unknown> {
    let begins = name.starts_with(|char: char| char.is_ascii_alphanumeric());
    if begins && name.chars().all(|char| char.is_ascii_alphanumeric() || "_.-".contains(char)) {
        return Ok(name);
    }
    let reason = format!(
        "`{name}` is no name that Docker takes: letters, digits, `_`, `.` and `-`, with a letter or digit first"
    );
    Err(Unknown::new(UnknownCause::Invalid, reason))
}

fn number(value: i64) -> Value {
    Value::Number(Number::Int(value))
}

/// Why the engine could not be asked, in plain words.
fn no_answer(error: &Error) -> Unknown {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let mut chain: Vec<String> = Vec::new();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(too_large) = cause.downcast_ref::<connect::TooLarge>() {
            let reason = format!("what the Docker engine at {host} answers is not read: {too_large}");
            return Unknown::new(UnknownCause::Unreadable, reason);
        }
        let wraps = |io: &std::io::Error| io.get_ref().is_some_and(|inner| inner.is::<connect::TooLarge>());
        if let Some(io) = cause.downcast_ref::<std::io::Error>().filter(|io| !wraps(io)) {
            let why = match io.kind() {
                std::io::ErrorKind::NotFound => NO_SOCKET.to_owned(),
                std::io::ErrorKind::PermissionDenied => {
                    "permission denied; may this user talk to Docker (the group `docker`)?".to_owned()
                }
                std::io::ErrorKind::ConnectionRefused => "nothing listens there; is it running?".to_owned(),
                _ => super::io_words(io),
            };
            return Unknown::new(UnknownCause::NoAnswer, format!("the Docker engine at {host} does not answer: {why}"));
        }
        chain.push(cause.to_string());
        source = super::http::behind(cause);
    }
    let why = match error {
        Error::DockerResponseServerError { status_code, message } => {
            return Unknown::new(
                UnknownCause::NoAnswer,
                format!("the Docker engine answered {status_code}: {message}"),
            );
        }
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
            let what = chain.pop().unwrap_or_default().to_lowercase();
            return Unknown::new(
                UnknownCause::Unreadable,
                format!("what the Docker engine at {host} answers can't be read: {what}"),
            );
        }
        Error::RequestTimeoutError => "it took too long".to_owned(),
        Error::SocketNotFoundError(_) => NO_SOCKET.to_owned(),
        _ => chain.pop().unwrap_or_default(),
    };
    Unknown::new(UnknownCause::NoAnswer, format!("the Docker engine at {host} does not answer: {why}"))
}

/// Whether the engine says that there is no such thing.
fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

fn text(value: Option<impl Into<Arc<str>>>, absence: &str) -> Answer {
    match value.map(Into::into) {
        Some(text) if !text.is_empty() => Answer::Known(Value::Text(text)),
        _ => Answer::absent(absence),
    }
}

/// A time as the engine writes it; its zero (year 1) is none.
fn time(value: Option<&str>, absence: &str) -> Answer {
    match value.map(str::parse::<Timestamp>) {
        Some(Ok(time)) if time > Timestamp::UNIX_EPOCH => Answer::Known(Value::Time(time)),
        _ => Answer::absent(absence),
    }
}
