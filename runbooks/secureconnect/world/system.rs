//! The system itself: its 17 services, their secrets, and the Compose file that says so.

/// A service by its name in the Compose file.
pub struct Service {
    pub service: &'static str,
    /// Of the container, before the prefix.
    pub container: &'static str,
    /// In the container, and at the host before the offset.
    pub port: Option<u16>,
    pub health_check: bool,
    pub secrets: &'static [&'static str],
}

const APP: &[&str] = &[
    "redis_password",
    "minio_access_key",
    "minio_secret_key",
    "cassandra_user",
    "cassandra_password",
    "jwt_secret",
    "smtp_username",
    "smtp_password",
];

const fn service(
    service: &'static str,
    container: &'static str,
    port: Option<u16>,
    health_check: bool,
    secrets: &'static [&'static str],
) -> Service {
    Service { service, container, port, health_check, secrets }
}

/// By the names of the plan.
pub const SERVICES: [Service; 17] = [
    service("cockroachdb", "secureconnect_crdb", None, true, &["db_password"]),
    service("cassandra", "secureconnect_cassandra", None, true, &["cassandra_user", "cassandra_password"]),
    service("redis", "secureconnect_redis", None, true, &["redis_password"]),
    service("minio", "secureconnect_minio", None, true, &["minio_access_key", "minio_secret_key"]),
    service("api-gateway", "api-gateway", Some(8080), true, APP),
    service("auth-service", "auth-service", Some(8081), true, APP),
    service("chat-service", "chat-service", Some(8082), true, APP),
    service("video-service", "video-service", Some(8083), true, APP),
    service("storage-service", "storage-service", Some(8084), true, APP),
    service("turn", "secureconnect_turn", None, true, &["turn_user", "turn_password"]),
    service("prometheus", "secureconnect_prometheus", Some(9091), true, &[]),
    service("alertmanager", "secureconnect_alertmanager", Some(9093), true, &[]),
    service("grafana", "secureconnect_grafana", Some(3000), true, &["grafana_admin_password"]),
    service("loki", "secureconnect_loki", None, true, &[]),
    service("promtail", "secureconnect_promtail", None, true, &[]),
    service("backup", "secureconnect_backup", None, false, &[]),
    service("nginx", "secureconnect_nginx", None, false, &[]),
];

/// Services that can be real programs, by what `service` is told to become.
pub const REAL: [(&str, &str); 4] =
    [("redis", "redis"), ("nginx", "nginx"), ("prometheus", "prometheus"), ("alertmanager", "alertmanager")];

/// The packages of Debian that they come from, with what they need.
pub const PACKAGES: [&str; 7] =
    ["redis-server", "redis-tools", "liblzf1", "libjemalloc2", "nginx", "prometheus", "prometheus-alertmanager"];

/// The programs themselves.
pub const PROGRAMS: [&str; 4] =
    ["usr/bin/redis-server", "usr/sbin/nginx", "usr/bin/prometheus", "usr/bin/prometheus-alertmanager"];

/// The fourteen files of the plan, in `secrets/`.
pub const SECRETS: [&str; 14] = [
    "cassandra_password.txt",
    "cassandra_user.txt",
    "db_password.txt",
    "firebase_credentials.json",
    "firebase_project_id.txt",
    "grafana_admin_password.txt",
    "jwt_secret.txt",
    "minio_access_key.txt",
    "minio_secret_key.txt",
    "redis_password.txt",
    "smtp_password.txt",
    "smtp_username.txt",
    "turn_password.txt",
    "turn_user.txt",
];

/// What sets one world apart from another on the same host.
pub struct Settings {
    pub prefix: String,
    pub offset: u16,
    pub project: String,
    pub image: String,
    /// Some services are the real programs.
    pub real: bool,
}

/// What the file says otherwise than it should.
#[derive(Default)]
pub struct Edit {
    /// A variable of a service, added or changed.
    pub variable: Option<(&'static str, &'static str, &'static str)>,
    /// The command of a service.
    pub command: Option<(&'static str, &'static str)>,
    /// A service besides: its name, its container, its command.
    pub more: Option<(&'static str, &'static str, &'static str)>,
}

/// The Compose file.
pub fn compose_file(settings: &Settings, edit: &Edit) -> String {
    let mut text = String::from("# SecureConnect, for production.\nservices:\n");
    for service in &SERVICES {
        let name = service.service;
        let command = edit.command.filter(|(of, _)| *of == name).map_or("serve", |(_, command)| command);
        let real = REAL.iter().find(|(of, _)| settings.real && *of == name).map(|(_, program)| *program);
        head(&mut text, settings, name, service.container, real.unwrap_or(command));
        text.push_str("    environment:\n");
        let variable = |text: &mut String, key: &str, value: &str| {
            let value = match edit.variable {
                Some((of, edited, instead)) if of == name && edited == key => instead,
                _ => value,
            };
            text.push_str(&format!("      {key}: \"{value}\"\n"));
        };
        variable(&mut text, "SERVICE", name);
        if let Some(real) = real {
            variable(&mut text, "REAL", real);
        }
        if let Some(port) = service.port {
            variable(&mut text, "PORTS", &port.to_string());
        }
        if service.secrets == APP {
            variable(&mut text, "ENV", "production");
            variable(&mut text, "LOG_LEVEL", "info");
            variable(&mut text, "LOG_FILE_PATH", &format!("/logs/{name}.log"));
            variable(&mut text, "CASSANDRA_KEYSPACE", "secureconnect_ks");
            variable(&mut text, "TOKEN_TTL", "15m");
        }
        for secret in service.secrets {
            variable(&mut text, &format!("{}_FILE", secret.to_uppercase()), &format!("/run/secrets/{secret}"));
        }
        if let Some((of, key, value)) = edit.variable
            && of == name
            && !text.rsplit("    environment:\n").next().unwrap_or_default().contains(&format!("      {key}:"))
        {
            text.push_str(&format!("      {key}: \"{value}\"\n"));
        }
        if !service.secrets.is_empty() {
            text.push_str("    secrets:\n");
            service.secrets.iter().for_each(|secret| text.push_str(&format!("      - {secret}\n")));
        }
        if let Some(port) = service.port {
            text.push_str(&format!("    ports:\n      - \"127.0.0.1:{}:{port}\"\n", port + settings.offset));
        }
        if service.health_check {
            text.push_str("    healthcheck:\n      test: [\"CMD\", \"/service\", \"health\"]\n");
            text.push_str("      interval: 2s\n      timeout: 5s\n      retries: 2\n");
        }
    }
    if let Some((name, container, command)) = edit.more {
        head(&mut text, settings, name, container, command);
        text.push_str(&format!("    environment:\n      SERVICE: \"{name}\"\n"));
    }
    text.push_str("secrets:\n");
    for file in SECRETS {
        let name = file.split('.').next().unwrap_or(file);
        text.push_str(&format!("  {name}:\n    file: ./secrets/{file}\n"));
    }
    text
}

/// What all services have.
fn head(text: &mut String, settings: &Settings, service: &str, container: &str, command: &str) {
    let Settings { prefix, image, .. } = settings;
    text.push_str(&format!(
        "  {service}:\n    image: {image}\n    container_name: {prefix}{container}\n    command: [\"{command}\"]\n"
    ));
    text.push_str("    restart: always\n    mem_limit: 256m\n    cpus: 0.5\n    stop_grace_period: 2s\n");
    text.push_str("    volumes:\n      - ./control:/control:ro\n");
}

/// The params that the runbooks take for this world.
pub fn params(settings: &Settings, dir: &str) -> String {
    let port = |name: &str| {
        SERVICES.iter().find(|service| service.container == name).and_then(|service| service.port).unwrap_or(0)
            + settings.offset
    };
    let apps = ["api-gateway", "auth-service", "chat-service", "video-service", "storage-service"];
    let apps: Vec<String> = apps.iter().map(|name| format!("\"{name}\" = {}", port(name))).collect();
    format!(
        "dir = \"{dir}\"\nproject = \"{}\"\nprefix = \"{}\"\nports = {{ {} }}\nprometheus = {}\ngrafana = {}\nalertmanager = {}\n",
        settings.project,
        settings.prefix,
        apps.join(", "),
        port("secureconnect_prometheus"),
        port("secureconnect_grafana"),
        port("secureconnect_alertmanager"),
    )
}

/// Makes those secret files that are missing or empty, and no others.
pub const GENERATE: &str = r#"#!/bin/sh
# Makes the secret files that are missing or empty. Those that hold something stay as they are.
set -eu
cd "$(dirname "$0")/.."
mkdir -p secrets
for file in cassandra_password.txt cassandra_user.txt db_password.txt firebase_credentials.json firebase_project_id.txt \
  grafana_admin_password.txt jwt_secret.txt minio_access_key.txt minio_secret_key.txt redis_password.txt \
  smtp_password.txt smtp_username.txt turn_password.txt turn_user.txt
do
  if [ ! -s "secrets/$file" ]; then
    # Written in place: what is mounted in a container is the file, not its name.
    head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' > "secrets/$file"
    echo "made secrets/$file"
  fi
done
"#;
