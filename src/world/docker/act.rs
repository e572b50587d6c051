//! What changes a container: start, stop, restart, kill, pause, unpause, remove.

use bollard::errors::Error;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, RestartContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};

use crate::engine::world::{Outcome, Request};
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::{Docker, is_missing, name, no_answer};

impl Docker {
    pub(super) async fn carry_out(&self, request: &Request) -> Outcome {
        match self.changed(request).await {
            Ok(()) => Outcome { result: Answer::Known(Value::record::<&str>("docker.done", [])), failure: None },
            Err(unknown) => Outcome { failure: Some(unknown.reason.to_string()), result: Answer::Unknown(unknown) },
        }
    }

    async fn changed(&self, request: &Request) -> Result<(), Unknown> {
        let name = name(request)?;
        let client = self.client().await?;
        let grace = request.duration("grace").map(|grace| i32::try_from(grace.as_secs()).unwrap_or(i32::MAX));
        let done = match &*request.native.name {
            "docker.start" => client.start_container(name, None).await,
            "docker.stop" => {
                let options = StopContainerOptionsBuilder::default().t(grace.unwrap_or(10)).build();
                client.stop_container(name, Some(options)).await
            }
            "docker.restart" => {
                let options = RestartContainerOptionsBuilder::default().t(grace.unwrap_or(10)).build();
                client.restart_container(name, Some(options)).await
            }
            "docker.kill" => {
                let signal = request.text("signal").unwrap_or("SIGKILL");
                let options = KillContainerOptionsBuilder::default().signal(signal).build();
                client.kill_container(name, Some(options)).await
            }
            "docker.pause" => client.pause_container(name).await,
            "docker.unpause" => client.unpause_container(name).await,
            "docker.remove" => {
                let (force, volumes) =
                    (request.bool("force").unwrap_or(false), request.bool("volumes").unwrap_or(false));
                let options = RemoveContainerOptionsBuilder::default().force(force).v(volumes).build();
                client.remove_container(name, Some(options)).await
            }
            other => {
                let reason = format!("`{other}` is nothing that this program can do");
                return Err(Unknown::new(UnknownCause::Invalid, reason));
            }
        };
        match done {
            Ok(()) => Ok(()),
            // 304: it is so already (Docker Engine API, ContainerStart and ContainerStop).
            Err(Error::DockerResponseServerError { status_code: 304, .. }) => Ok(()),
            Err(error) if is_missing(&error) => {
                Err(Unknown::new(UnknownCause::Invalid, format!("there is no container `{name}`")))
            }
            Err(Error::DockerResponseServerError { status_code: 400..=499, message }) => {
                Err(Unknown::new(UnknownCause::Invalid, format!("the Docker engine refused: {message}")))
            }
            Err(error) => Err(no_answer(&error)),
        }
    }
}
