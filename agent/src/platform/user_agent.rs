//! Who speaks, for those who are spoken to.

/// How the agent names itself to DPS and hub.
pub fn user_agent() -> String {
    format!(
        "container-tracker/{} ({}; {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
