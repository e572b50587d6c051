//! `docker.container(name)` and `docker.containers(…)`: what the engine's inspect says, as a record.

use std::collections::HashMap;

use bollard::models::{ContainerInspectResponse, HealthStatusEnum, HostConfig, MountPoint};
use bollard::query_parameters::ListContainersOptionsBuilder;

use crate::engine::world::Request;
use crate::value::{Answer, Number, Unknown, Value};

use super::listed::{anchored, each, environment, filters, labels};
use super::{Docker, is_missing, name, no_answer, number, text, time};

impl Docker {
    pub(super) async fn container(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = name(request)?;
        match self.client().await?.inspect_container(name, None).await {
            Ok(found) => Ok(Answer::Known(record(found))),
            Err(error) if is_missing(&error) => Ok(Answer::absent(format!("there is no container `{name}`"))),
            Err(error) => Err(no_answer(&error)),
        }
    }

    /// Those that are wanted, sorted by name.
    pub(super) async fn containers(&self, request: &Request) -> Result<Answer, Unknown> {
        let client = self.client().await?;
        let pattern = request.text("name").map(anchored).transpose()?;
        let mut filters = filters(request);
        if let Some(state) = request.text("state") {
            filters.insert("status".to_owned(), vec![state.to_owned()]);
        }
        // A state that is asked for is one of all containers, not only of those that run.
        // Of a project, what does not run is what one has to know of.
        let all =
            request.bool("all").unwrap_or_else(|| request.text("project").is_some()) || request.text("state").is_some();
        let options = ListContainersOptionsBuilder::default().all(all).filters(&filters).build();
        let listed = client.list_containers(Some(options)).await.map_err(|error| no_answer(&error))?;
        let mut names: Vec<String> = listed
            .into_iter()
            .filter_map(|summary| Some(summary.names?.first()?.trim_start_matches('/').to_owned()))
            .filter(|name| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name)))
            .collect();
        names.sort();
        let inspect = |name: String| async move { client.inspect_container(&name, None).await };
        each(names.into_iter().map(inspect), record).await
    }
}

/// A container with its labels: what Compose's bookkeeping is read from.
pub(in crate::world) struct Labelled {
    pub name: String,
    pub labels: HashMap<String, String>,
}

impl Docker {
    /// Every container of a Compose project, sorted by name.
    pub(in crate::world) async fn labelled(&self, project: &str) -> Result<Vec<Labelled>, Unknown> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("com.docker.compose.project={project}")])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let listed = self.client().await?.list_containers(Some(options)).await.map_err(|error| no_answer(&error))?;
        let mut containers: Vec<Labelled> = listed
            .into_iter()
            .filter_map(|summary| {
                let name = summary.names?.first()?.trim_start_matches('/').to_owned();
                Some(Labelled { name, labels: summary.labels.unwrap_or_default() })
            })
            .collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }
}

fn record(found: ContainerInspectResponse) -> Value {
    let known = Answer::Known;
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    let network = found.network_settings.unwrap_or_default();
    let running = state.running.unwrap_or(false);
    let said = state.health.as_ref().and_then(|health| health.log.as_ref()?.last()?.output.clone());
    let health = match state.health.and_then(|health| health.status) {
        None | Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) => {
            Answer::absent("the container has no health check")
        }
        Some(status) => known(Value::text(status.to_string())),
    };
    let exit_code = match state.exit_code {
        Some(code) if !running && state.finished_at.as_deref().is_some_and(|time| !time.starts_with("0001-")) => {
            known(number(code))
        }
        _ => Answer::absent("the container has not ended"),
    };
    let command = found.path.into_iter().chain(found.args.unwrap_or_default()).map(Value::text);
    let restart = host.restart_policy.as_ref().and_then(|policy| policy.name).map(|name| name.to_string());
    let mut networks: Vec<(String, Value)> = network
        .networks
        .unwrap_or_default()
        .into_iter()
        .map(|(name, endpoint)| (name, Value::text(endpoint.ip_address.unwrap_or_default())))
        .collect();
    networks.sort_by(|a, b| a.0.cmp(&b.0));
    Value::record(
        "docker.container",
        [
            ("id", text(found.id, "the engine does not say")),
            ("name", text(found.name.map(|name| name.trim_start_matches('/').to_owned()), "it has no name")),
            ("image", text(config.image, "the engine does not say")),
            ("image_id", text(found.image, "the engine does not say")),
            ("state", text(state.status.map(|status| status.to_string()), "the engine does not say")),
            ("health", health),
            ("health_output", text(said.map(|said| said.trim().to_owned()), "no health check has said anything")),
            ("exit_code", exit_code),
            ("out_of_memory", known(Value::Bool(state.oom_killed.unwrap_or(false)))),
            ("restarts", known(number(found.restart_count.unwrap_or(0)))),
            ("restart_policy", text(restart.filter(|name| name != "no"), "it is not restarted")),
            ("env", known(environment(config.env.unwrap_or_default()))),
            ("labels", known(labels(config.labels.unwrap_or_default()))),
            ("mounts", known(Value::list(found.mounts.unwrap_or_default().into_iter().map(mount)))),
            ("networks", known(Value::map(networks))),
            ("ports", known(Value::list(ports(network.ports.unwrap_or_default())))),
            ("memory_limit", limit(host.memory)),
            ("cpu_limit", cpus(&host)),
            ("command", known(Value::list(command))),
            ("user", text(config.user, "it runs as its image says")),
            ("created", time(found.created.as_deref(), "the engine does not say")),
            ("started", time(state.started_at.as_deref(), "it was never started")),
            ("finished", time(state.finished_at.as_deref().filter(|_| !running), "it has not ended")),
        ],
    )
}

fn mount(mount: MountPoint) -> Value {
    Value::record(
        "docker.mount",
        [
            ("type", text(mount.typ, "the engine does not say")),
            ("source", text(mount.source, "it has no place on the host")),
            ("target", text(mount.destination, "the engine does not say")),
            ("volume", text(mount.name, "it is no volume")),
            ("read_only", Answer::Known(Value::Bool(!mount.rw.unwrap_or(true)))),
        ],
    )
}

/// An address of the host, and a port of it.
type HostPort = (String, u16);

type Ports = HashMap<String, Option<Vec<bollard::models::PortBinding>>>;

/// `8080/tcp` with where it is published, a row each; one that is only exposed has no place on the host.
fn ports(ports: Ports) -> Vec<Value> {
    let mut rows: Vec<(u16, String, Option<HostPort>)> = Vec::new();
    for (port, bindings) in ports {
        let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
        let number = number.parse().unwrap_or(0);
        let bindings = bindings.unwrap_or_default();
        if bindings.is_empty() {
            rows.push((number, protocol.to_owned(), None));
        }
        for binding in bindings {
            let host_port = binding.host_port.and_then(|port| port.parse().ok()).unwrap_or(0);
            rows.push((number, protocol.to_owned(), Some((binding.host_ip.unwrap_or_default(), host_port))));
        }
    }
    rows.sort();
    rows.into_iter()
        .map(|(port, protocol, host)| {
            let not = "it is not published";
            let (address, host_port) = match host {
                Some((address, port)) => (text(Some(address), not), Answer::Known(number(i64::from(port)))),
                None => (Answer::absent(not), Answer::absent(not)),
            };
            let port = Answer::Known(number(i64::from(port)));
            let protocol = Answer::Known(Value::text(protocol));
            Value::record(
                "docker.port",
                [("port", port), ("protocol", protocol), ("host", address), ("host_port", host_port)],
            )
        })
        .collect()
}

fn limit(bytes: Option<i64>) -> Answer {
    match bytes {
        Some(bytes) if bytes > 0 => Answer::Known(Value::Size(bytes)),
        _ => Answer::absent("its memory has no limit"),
    }
}

/// In cores: by the count that was given, or by quota and period.
fn cpus(host: &HostConfig) -> Answer {
    let cores = match (host.nano_cpus, host.cpu_quota, host.cpu_period) {
        (Some(nano), ..) if nano > 0 => nano as f64 / 1e9,
        (_, Some(quota), Some(period)) if quota > 0 && period > 0 => quota as f64 / period as f64,
        _ => return Answer::absent("its processors have no limit"),
    };
    Answer::Known(Value::Number(Number::measured(cores)))
}
