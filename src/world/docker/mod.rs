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
mod logs;
mod stats;
mod things;

pub(super) use container::Labelled;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use bollard::Docker as Client;
use bollard::errors::Error;
use jiff::Timestamp;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::engine::world::{Outcome, Output, Request};
use crate::value::{Answer, Number, Unknown, UnknownCause, Value};

const NO_SOCKET: &str = "there is no such socket; is Docker installed, and running?";

/// The engine, asked for when it is first needed.
#[derive(Clone, Default)]
pub(super) struct Docker {
    engine: Arc<OnceCell<connect::Engine>>,
    /// Of each container that was looked into: its first process.
    processes: Arc<Mutex<HashMap<String, file::FirstProcess>>>,
}

impl Docker {
    /// A question that only looks.
    pub fn look(&self, request: Request) -> impl Future<Output = Answer> + Send + 'static {
        let docker = self.clone();
        let limit = request.duration("timeout").unwrap_or(request.limit).min(request.limit);
        super::within(limit, async move {
            let told = match &*request.native.name {
                "docker.engine" => docker.engine().await,
                "docker.container" => docker.container(&request).await,
                "docker.containers" => docker.containers(&request).await,
                "docker.exec" => docker.asked(&request).await,
                "docker.file" => docker.file(&request).await,
                "docker.image" => docker.image(&request).await,
                "docker.images" => docker.images(&request).await,
                "docker.logs" => docker.logs(&request).await,
                "docker.network" => docker.network(&request).await,
                "docker.networks" => docker.networks(&request).await,
                "docker.processes" => docker.processes(&request).await,
                "docker.stats" => docker.stats(&request).await,
                "docker.volume" => docker.volume(&request).await,
                "docker.volumes" => docker.volumes(&request).await,
                other => Err(Unknown::new(UnknownCause::Invalid, format!("this program can't ask `{other}`"))),
            };
            told.unwrap_or_else(Answer::Unknown)
        })
    }

    /// Something that changes containers.
    pub fn act(
        &self,
        request: Request,
        output: Arc<dyn Output>,
        cancel: CancellationToken,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let docker = self.clone();
        async move {
            tokio::select! {
                outcome = docker.carry_out(&request, output) => outcome,
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
