//! What can be wrong with the system: each fault by its name.

use crate::system::Edit;
use crate::{World, docker};

/// With what a person would say of it.
pub const FAULTS: [(&str, &str); 15] = [
    ("unhealthy", "chat-service fails its health check, and answers all the same"),
    ("plain-secret", "api-gateway has its JWT secret in a plain variable"),
    ("wrong-environment", "chat-service runs with ENV=development"),
    ("restart-loop", "video-service ends with a panic, again and again"),
    ("exited", "storage-service was stopped"),
    ("secret-missing", "secrets/jwt_secret.txt is gone from the host; containers still have it mounted"),
    ("secret-empty", "secrets/redis_password.txt is empty"),
    ("port-closed", "auth-service is healthy, and nobody listens at its port"),
    ("slow-answer", "api-gateway takes 3 s to answer"),
    ("panic", "a thread of chat-service panicked; it runs on"),
    ("noise", "harmless: api-gateway logs errors=0 fatal=0 panic=false"),
    ("compose-edited", "the Compose file was edited after the deployment"),
    ("orphan", "a container of the project belongs to no service"),
    ("accepted", "Loki and TURN fail their health checks, as is accepted for a while"),
    (
        "half-broken",
        "what a redeployment meets: an orphan that ignores SIGTERM, a killed database, a missing secret file, and a \
         container named secureconnect_turn that is none of the project's",
    ),
];

/// Where a secret file lies that was taken away.
pub const KEPT: &str = ".kept";

/// It exists while a log tells of a panic.
pub const LOGGED: &str = ".logged";

pub fn fault(world: &World, name: &str) -> Result<(), String> {
    let order = |service: &str, words: &str| world.write(&format!("control/{service}"), words);
    let secret = |name: &str| world.dir.join("secrets").join(name);
    let take_away = |name: &str| {
        crate::make_dir(&world.dir.join(KEPT))?;
        std::fs::rename(secret(name), world.dir.join(KEPT).join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let edited = |edit: Edit| {
        world.write_compose_file(&edit)?;
        world.compose(&["up", "--detach"])
    };
    match name {
        "unhealthy" => {
            order("chat-service", "unhealthy\n")?;
            world.wait_until("chat-service", |state| state.contains("unhealthy"))
        }
        "accepted" => {
            for service in ["loki", "turn"] {
                order(service, "unhealthy\n")?;
            }
            ["secureconnect_loki", "secureconnect_turn"]
                .iter()
                .try_for_each(|container| world.wait_until(container, |state| state.contains("unhealthy")))
        }
        "plain-secret" => {
            let variable = Some(("api-gateway", "JWT_SECRET", "correct-horse-battery-staple"));
            edited(Edit { variable, ..Edit::default() })?;
            world.wait_until_well()
        }
        "wrong-environment" => {
            edited(Edit { variable: Some(("chat-service", "ENV", "development")), ..Edit::default() })?;
            world.wait_until_well()
        }
        "restart-loop" => {
            edited(Edit { command: Some(("video-service", "crash")), ..Edit::default() })?;
            world.wait_until("video-service", |state| {
                state.rsplit(' ').next().and_then(|count| count.parse().ok()).is_some_and(|count: u32| count > 1)
            })
        }
        "exited" => docker(&["stop", &world.container("storage-service")]).map(drop),
        "secret-missing" => take_away("jwt_secret.txt"),
        "secret-empty" => world.write("secrets/redis_password.txt", ""),
        "port-closed" => {
            order("auth-service", "closed\n")?;
            // Until it has heard.
            std::thread::sleep(std::time::Duration::from_millis(700));
            Ok(())
        }
        "slow-answer" => order("api-gateway", "slow\n"),
        "panic" | "noise" => {
            let service = if name == "panic" { "chat-service" } else { "api-gateway" };
            if name == "panic" {
                world.write(LOGGED, "")?;
            }
            order(service, &format!("{name}\n"))?;
            std::thread::sleep(std::time::Duration::from_millis(700));
            Ok(())
        }
        "compose-edited" => {
            let variable = Some(("api-gateway", "LOG_LEVEL", "debug"));
            world.write_compose_file(&Edit { variable, ..Edit::default() })
        }
        "orphan" => {
            edited(Edit { more: Some(("legacy", "secureconnect_legacy", "serve")), ..Edit::default() })?;
            world.write_compose_file(&Edit::default())
        }
        "half-broken" => {
            edited(Edit { more: Some(("legacy", "secureconnect_legacy", "deaf")), ..Edit::default() })?;
            world.write_compose_file(&Edit::default())?;
            docker(&["kill", &world.container("secureconnect_crdb")])?;
            let turn = world.container("secureconnect_turn");
            docker(&["rm", "--force", &turn])?;
            docker(&["run", "--detach", "--name", &turn, "--network", "none", &world.settings.image, "serve"])?;
            take_away("smtp_password.txt")
        }
        other => {
            let names: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
            Err(format!("there is no fault `{other}`; there are {}", names.join(", ")))
        }
    }
}
