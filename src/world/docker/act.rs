//! What changes containers: start, stop, restart, kill, pause, unpause, remove; and programs in them.

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, RestartContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};
use futures_util::StreamExt;

use crate::engine::world::{Outcome, Output, Request};
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::{Docker, checked, is_missing, no_answer};

/// How many containers are changed at the same time.
const AT_ONCE: usize = 8;

/// How often it is asked whether a removal that is under way has come to its end.
const REMOVAL: Duration = Duration::from_millis(100);

/// What is done.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// A program is run in a container.
    Exec,
    /// Each of several containers is changed.
    Each(Change),
}

#[derive(Clone, Copy)]
pub(super) enum Change {
    Start,
    Stop,
    Restart,
    Kill,
    Pause,
    Unpause,
    Remove,
}

impl Docker {
    pub(super) async fn carry_out(&self, what: What, request: &Request, output: Arc<dyn Output>) -> Outcome {
        let done = match what {
            What::Exec => self.done(request, output).await,
            What::Each(change) => self.change_all(change, request).await,
        };
        done.unwrap_or_else(|unknown| Outcome {
            failure: Some(unknown.reason.to_string()),
            result: Answer::Unknown(unknown),
        })
    }

    /// Of several containers each is tried, and every one that failed is named.
    async fn change_all(&self, change: Change, request: &Request) -> Result<Outcome, Unknown> {
        let names: Vec<String> = request
            .list("containers")
            .unwrap_or_default()
            .iter()
            .filter_map(|name| name.unsealed().to_text())
            .map(|name| name.to_string())
            .collect();
        for name in &names {
            checked(name)?;
        }
        let several = names.len() > 1;
        let failed: Vec<Unknown> = futures_util::stream::iter(names)
            .map(|name| async move {
                self.change(change, request, &name).await.map_err(|unknown| match several {
                    true => Unknown::new(unknown.cause, format!("{name}: {}", unknown.reason)),
                    false => unknown,
                })
            })
            .buffered(AT_ONCE)
            .filter_map(|done| async move { done.err() })
            .collect()
            .await;
        match failed.first() {
            None => {
                let result = Answer::Known(Value::record::<&str>("docker.done", []));
                Ok(Outcome { result, failure: None })
            }
            Some(first) => {
                let reasons: Vec<&str> = failed.iter().map(|unknown| &*unknown.reason).collect();
                Err(Unknown::new(first.cause, reasons.join("; ")))
            }
        }
    }

    async fn change(&self, change: Change, request: &Request, name: &str) -> Result<(), Unknown> {
        let client = self.client().await?;
        let grace = request.duration("grace").map(|grace| i32::try_from(grace.as_secs()).unwrap_or(i32::MAX));
        let done = match change {
            Change::Start => client.start_container(name, None).await,
            Change::Stop => {
                let options = StopContainerOptionsBuilder::default().t(grace.unwrap_or(10)).build();
                client.stop_container(name, Some(options)).await
            }
            Change::Restart => {
                let options = RestartContainerOptionsBuilder::default().t(grace.unwrap_or(10)).build();
                client.restart_container(name, Some(options)).await
            }
            Change::Kill => {
                let signal = request.text("signal").unwrap_or("SIGKILL");
                let options = KillContainerOptionsBuilder::default().signal(signal).build();
                client.kill_container(name, Some(options)).await
            }
            Change::Pause => client.pause_container(name).await,
            Change::Unpause => client.unpause_container(name).await,
            Change::Remove => {
                let (force, volumes) =
                    (request.bool("force").unwrap_or(false), request.bool("volumes").unwrap_or(false));
                let options = RemoveContainerOptionsBuilder::default().force(force).v(volumes).build();
                client.remove_container(name, Some(options)).await
            }
        };
        match done {
            Ok(()) => Ok(()),
            // 304: it is so already (Docker Engine API, ContainerStart and ContainerStop).
            Err(Error::DockerResponseServerError { status_code: 304, .. }) => Ok(()),
            Err(Error::DockerResponseServerError { status_code: 409, message })
                if message.contains("is already in progress") =>
            {
                self.gone(name).await
            }
            Err(error) if is_missing(&error) => {
                Err(Unknown::new(UnknownCause::Invalid, format!("there is no container `{name}`")))
            }
            Err(Error::DockerResponseServerError { status_code: 400..=499, message }) => {
                Err(Unknown::new(UnknownCause::Invalid, format!("the Docker engine refused: {message}")))
            }
            Err(error) => Err(no_answer(&error)),
        }
    }

    /// Waits for the end of a removal that someone else began; the action's own deadline ends the waiting.
    async fn gone(&self, name: &str) -> Result<(), Unknown> {
        loop {
            match self.client().await?.inspect_container(name, None).await {
                Ok(_) => tokio::time::sleep(REMOVAL).await,
                Err(error) if is_missing(&error) => return Ok(()),
                Err(error) => return Err(no_answer(&error)),
            }
        }
    }
}
