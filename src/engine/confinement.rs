//! How foreign code was kept from changing anything.

/// How a vouched probe was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confinement {
    /// In the kernel's sandbox.
    Sandbox,
    /// In the kernel's sandbox, but for the network.
    Network,
    /// On its author's word.
    Trusted,
    /// It was not asked.
    NotAsked,
}
