//! `docker`: the engine at its socket (or `DOCKER_HOST`), by bollard, over one connection that is kept.
//!
//! In: requests of containers by name. Out: records of what the engine says, or why it can't be told. What is not there is
//! absent; an engine that does not answer is unknown, and never "no such container".

mod act;
mod container;
mod engine;
mod logs;

use std::future::Future;
use std::sync::Arc;

use bollard::Docker as Client;
use bollard::errors::Error;
use jiff::Timestamp;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::engine::world::{Outcome, Request};
use crate::value::{Answer, Unknown, UnknownCause, Value};

const NO_SOCKET: &str = "there is no such socket; is Docker installed, and running?";

/// The engine, asked for when it is first needed.
#[derive(Clone, Default)]
pub(super) struct Docker {
    client: Arc<OnceCell<Client>>,
}

impl Docker {
    pub fn new() -> Self {
        Self::default()
    }

    /// A question that only looks.
    pub fn look(&self, request: Request) -> impl Future<Output = Answer> + Send + 'static {
        let docker = self.clone();
        let limit = request.duration("timeout").unwrap_or(request.limit).min(request.limit);
        super::within(limit, async move {
            let told = match &*request.native.name {
                "docker.engine" => docker.engine().await,
                "docker.container" => docker.container(&request).await,
                "docker.containers" => docker.containers(&request).await,
                "docker.logs" => docker.logs(&request).await,
                other => Err(Unknown::new(UnknownCause::Invalid, format!("this program can't ask `{other}`"))),
            };
            told.unwrap_or_else(Answer::Unknown)
        })
    }

    /// Something that changes a container.
    pub fn act(&self, request: Request, cancel: CancellationToken) -> impl Future<Output = Outcome> + Send + 'static {
        let docker = self.clone();
        async move {
            tokio::select! {
                outcome = docker.carry_out(&request) => outcome,
                // The engine goes on with what it was told; whether it comes to an end is not known.
                () = cancel.cancelled() => {
                    let unknown = Unknown::new(UnknownCause::NoAnswer, "it was not waited for any more");
                    Outcome { failure: Some(unknown.reason.to_string()), result: Answer::Unknown(unknown) }
                }
            }
        }
    }

    async fn client(&self) -> Result<&Client, Unknown> {
        self.client
            .get_or_try_init(|| async {
                let client = Client::connect_with_defaults().map_err(|error| no_answer(&error))?;
                // The newest version that both sides speak.
                client.negotiate_version().await.map_err(|error| no_answer(&error))
            })
            .await
    }
}

/// The name or id of a container: nothing else may stand in the path of a request.
fn name(request: &Request) -> Result<&str, Unknown> {
    let name = request.text("name").unwrap_or_default();
    let begins = name.starts_with(|char: char| char.is_ascii_alphanumeric());
    if begins && name.chars().all(|char| char.is_ascii_alphanumeric() || "_.-".contains(char)) {
        return Ok(name);
    }
    let reason =
        format!("`{name}` is no name of a container: letters, digits, `_`, `.` and `-`, with a letter or digit first");
    Err(Unknown::new(UnknownCause::Invalid, reason))
}

/// Why the engine could not be asked, in plain words.
fn no_answer(error: &Error) -> Unknown {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let mut chain: Vec<String> = Vec::new();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
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
