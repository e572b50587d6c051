//! The least program that asks the Docker engine the same questions as a runbook: what `benches/docker` compares with.
//!
//! `bench-least inspects FILE` inspects each container that the file names, a line each; `bench-least verify DIR PREFIX OFFSET` asks what the
//! verification of `runbooks/secureconnect` asks, and checks that each answer is good.

use std::collections::HashMap;

use bollard::Docker;
use bollard::query_parameters::{ContainerArchiveInfoOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder};
use futures_util::StreamExt;
use futures_util::future::join_all;

const APPS: [&str; 5] = ["api-gateway", "auth-service", "chat-service", "video-service", "storage-service"];
const OTHERS: [&str; 12] = [
    "secureconnect_crdb",
    "secureconnect_cassandra",
    "secureconnect_redis",
    "secureconnect_minio",
    "secureconnect_turn",
    "secureconnect_prometheus",
    "secureconnect_alertmanager",
    "secureconnect_grafana",
    "secureconnect_loki",
    "secureconnect_promtail",
    "secureconnect_backup",
    "secureconnect_nginx",
];
const SECRETS: [&str; 8] = [
    "redis_password",
    "minio_access_key",
    "minio_secret_key",
    "cassandra_user",
    "cassandra_password",
    "jwt_secret",
    "smtp_username",
    "smtp_password",
];

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let docker = Docker::connect_with_local_defaults().expect("an engine");
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["inspects", file] => {
            let text = std::fs::read_to_string(file).expect("a list of containers");
            let asked = futures_util::stream::iter(text.lines().map(|name| docker.inspect_container(name, None)));
            let running = asked.buffer_unordered(64).filter(|found| {
                let state = found.as_ref().ok().and_then(|found| found.state.as_ref());
                std::future::ready(state.and_then(|state| state.running) == Some(true))
            });
            assert_eq!(running.count().await, text.lines().count());
        }
        ["verify", dir, prefix, offset] => verify(&docker, dir, prefix, offset.parse().expect("a number")).await,
        _ => std::process::exit(64),
    }
}

async fn verify(docker: &Docker, dir: &str, prefix: &str, offset: u16) {
    let names: Vec<String> = APPS.iter().chain(&OTHERS).map(|name| format!("{prefix}{name}")).collect();
    let inspects = join_all(names.iter().map(|name| docker.inspect_container(name, None)));
    let files = join_all(APPS.iter().flat_map(|app| {
        SECRETS.iter().map(move |secret| {
            let options = ContainerArchiveInfoOptionsBuilder::default().path(&format!("/run/secrets/{secret}")).build();
            let name = format!("{prefix}{app}");
            async move { docker.get_container_archive_info(&name, Some(options)).await }
        })
    }));
    let lists = join_all(["exited", "restarting"].map(|state| {
        let filters = HashMap::from([("status".to_owned(), vec![state.to_owned()])]);
        docker.list_containers(Some(ListContainersOptionsBuilder::default().all(true).filters(&filters).build()))
    }));
    let logs = join_all(APPS.iter().map(|app| {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("10000").build();
        let name = format!("{prefix}{app}");
        async move { docker.logs(&name, Some(options)).count().await }
    }));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let health = [8080, 8081, 8082, 8083, 8084].iter().flat_map(|port| [(*port, "health"), (*port, "metrics")]);
    let urls = health.chain([(9091, "-/healthy"), (3000, "api/health"), (9093, "-/healthy")]);
    let answers = join_all(urls.map(|(port, path)| {
        let asked = client.get(format!("http://localhost:{}/{path}", port + offset)).send();
        async move { asked.await.map(|answer| answer.status().as_u16()) }
    }));
    let (inspects, files, lists, _, answers) = tokio::join!(inspects, files, lists, logs, answers);
    assert!(inspects.iter().all(|found| found.as_ref().is_ok_and(|found| found.state.is_some())));
    assert!(files.iter().all(|found| found.as_ref().is_ok_and(|found| found.size > 0)));
    assert!(lists.iter().all(Result::is_ok));
    assert!(answers.iter().all(|status| status.as_ref().is_ok_and(|status| *status == 200)));
    let secrets = std::fs::read_dir(format!("{dir}/secrets")).expect("secrets").count();
    assert_eq!(secrets, 14);
}
