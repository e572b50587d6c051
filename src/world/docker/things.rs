//! Images, networks and volumes.

use bollard::models::{ImageInspect, NetworkInspect, Volume};
use bollard::query_parameters::{
    InspectNetworkOptions, ListImagesOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
};

use crate::engine::world::Request;
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::listed::{anchored, each, environment, filters, labels};
use super::{Docker, is_missing, no_answer, text, time};

const NOT_SAID: &str = "the engine does not say";

impl Docker {
    pub(super) async fn image(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = reference(request, "ref")?;
        match self.client().await?.inspect_image(name).await {
            Ok(found) => Ok(Answer::Known(image(found))),
            Err(error) if is_missing(&error) => Ok(Answer::absent(format!("there is no image `{name}`"))),
            Err(error) => Err(no_answer(&error)),
        }
    }

    /// Those that a pattern covers by one of their tags, sorted by it.
    pub(super) async fn images(&self, request: &Request) -> Result<Answer, Unknown> {
        let client = self.client().await?;
        let pattern = request.text("name").map(anchored).transpose()?;
        let options = ListImagesOptionsBuilder::default().filters(&filters(request)).build();
        let listed = client.list_images(Some(options)).await.map_err(|error| no_answer(&error))?;
        let mut ids: Vec<(String, String)> = listed
            .into_iter()
            .filter_map(|image| {
                let tag = image.repo_tags.iter().find(|tag| pattern.as_ref().is_none_or(|name| name.is_match(tag)));
                match (tag, &pattern) {
                    (Some(tag), _) => Some((tag.clone(), image.id)),
                    (None, None) => Some((String::new(), image.id)),
                    (None, Some(_)) => None,
                }
            })
            .collect();
        ids.sort();
        each(ids.into_iter().map(|(_, id)| async move { client.inspect_image(&id).await }), image).await
    }

    pub(super) async fn network(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = super::named(request, "name")?;
        match self.client().await?.inspect_network(name, None::<InspectNetworkOptions>).await {
            Ok(found) => Ok(Answer::Known(network(found))),
            Err(error) if is_missing(&error) => Ok(Answer::absent(format!("there is no network `{name}`"))),
            Err(error) => Err(no_answer(&error)),
        }
    }

    pub(super) async fn networks(&self, request: &Request) -> Result<Answer, Unknown> {
        let client = self.client().await?;
        let pattern = request.text("name").map(anchored).transpose()?;
        let options = ListNetworksOptionsBuilder::default().filters(&filters(request)).build();
        let listed = client.list_networks(Some(options)).await.map_err(|error| no_answer(&error))?;
        let mut names: Vec<(String, String)> = listed
            .into_iter()
            .filter_map(|network| Some((network.name?, network.id?)))
            .filter(|(name, _)| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name)))
            .collect();
        names.sort();
        let inspect =
            |(_, id): (String, String)| async move { client.inspect_network(&id, None::<InspectNetworkOptions>).await };
        each(names.into_iter().map(inspect), network).await
    }

    pub(super) async fn volume(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = super::named(request, "name")?;
        match self.client().await?.inspect_volume(name).await {
            Ok(found) => Ok(Answer::Known(volume(found))),
            Err(error) if is_missing(&error) => Ok(Answer::absent(format!("there is no volume `{name}`"))),
            Err(error) => Err(no_answer(&error)),
        }
    }

    pub(super) async fn volumes(&self, request: &Request) -> Result<Answer, Unknown> {
        let pattern = request.text("name").map(anchored).transpose()?;
        let options = ListVolumesOptionsBuilder::default().filters(&filters(request)).build();
        let listed = self.client().await?.list_volumes(Some(options)).await.map_err(|error| no_answer(&error))?;
        let mut volumes: Vec<Volume> = listed.volumes.unwrap_or_default();
        volumes.retain(|volume| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&volume.name)));
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Answer::Known(Value::list(volumes.into_iter().map(volume))))
    }
}

/// The reference of an image: `registry:5000/shop/api:1.2`, `sha256:…`.
fn reference<'r>(request: &'r Request, param: &str) -> Result<&'r str, Unknown> {
    let name = request.text(param).unwrap_or_default();
    let plain = |char: char| char.is_ascii_alphanumeric() || "_.-:/@".contains(char);
    // A path of dots would ask for something else: `.` for the list of all images.
    let part = |part: &str| part.starts_with(|char: char| char.is_ascii_alphanumeric());
    let whole = name.chars().all(plain) && name.split('/').all(part);
    if whole {
        return Ok(name);
    }
    Err(Unknown::new(UnknownCause::Invalid, format!("`{name}` is no name of an image: `shop/api:1.2`, or its id")))
}

fn image(found: ImageInspect) -> Value {
    let config = found.config.unwrap_or_default();
    let texts = |items: Option<Vec<String>>| Value::list(items.unwrap_or_default().into_iter().map(Value::text));
    let command = config.entrypoint.into_iter().flatten().chain(config.cmd.into_iter().flatten()).map(Value::text);
    let command = Value::list(command.collect::<Vec<_>>());
    let size = match found.size {
        Some(size) => Answer::Known(Value::Size(size)),
        None => Answer::unknown(UnknownCause::Unreadable, NOT_SAID),
    };
    Value::record(
        "docker.image",
        [
            ("id", text(found.id, NOT_SAID)),
            ("tags", Answer::Known(texts(found.repo_tags))),
            ("digests", Answer::Known(texts(found.repo_digests))),
            ("created", time(found.created.as_deref(), NOT_SAID)),
            ("size", size),
            ("os", text(found.os, NOT_SAID)),
            ("arch", text(found.architecture, NOT_SAID)),
            ("env", Answer::Known(environment(config.env.unwrap_or_default()))),
            ("labels", Answer::Known(labels(config.labels.unwrap_or_default()))),
            ("command", Answer::Known(command)),
            ("user", text(config.user, "it names none")),
        ],
    )
}

fn network(found: NetworkInspect) -> Value {
    let mut containers: Vec<String> =
        found.containers.unwrap_or_default().into_values().filter_map(|endpoint| endpoint.name).collect();
    containers.sort();
    Value::record(
        "docker.network",
        [
            ("id", text(found.id, NOT_SAID)),
            ("name", text(found.name, NOT_SAID)),
            ("driver", text(found.driver, NOT_SAID)),
            ("internal", Answer::Known(Value::Bool(found.internal.unwrap_or(false)))),
            ("labels", Answer::Known(labels(found.labels.unwrap_or_default()))),
            ("containers", Answer::Known(Value::list(containers.into_iter().map(Value::text)))),
        ],
    )
}

fn volume(found: Volume) -> Value {
    Value::record(
        "docker.volume",
        [
            ("name", Answer::Known(Value::text(found.name))),
            ("driver", Answer::Known(Value::text(found.driver))),
            ("source", text(Some(found.mountpoint), "the engine does not say")),
            ("labels", Answer::Known(labels(found.labels))),
            ("created", time(found.created_at.as_deref(), NOT_SAID)),
        ],
    )
}
