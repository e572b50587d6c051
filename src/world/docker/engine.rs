//! `docker.engine()`

use crate::value::{Answer, Unknown, Value};

use super::{Docker, no_answer, text};

impl Docker {
    pub(super) async fn engine(&self) -> Result<Answer, Unknown> {
        let client = self.client().await?;
        let version = client.version().await.map_err(|error| no_answer(&error))?;
        let not_said = "the engine does not say";
        Ok(Answer::Known(Value::record(
            "docker.engine",
            [
                ("version", text(version.version, not_said)),
                ("api_version", text(version.api_version, not_said)),
                ("os", text(version.os, not_said)),
                ("arch", text(version.arch, not_said)),
            ],
        )))
    }
}
