//! Whether everything is meant, where a condition matches everything.

use anyhow::bail;

use super::look::{Looked, of_each};
use super::selection::Conduct;
use crate::cli::cloud::service::client::Call;
use crate::commands::confirmation::confirmed;

/// Asks, or refuses where nobody can be asked; nothing is asked where nothing is done.
pub(in crate::cli::cloud) fn ask(looked: &Looked, conduct: &Conduct, verb: &str) -> anyhow::Result<()> {
    if !looked.by_condition || looked.devices.is_empty() || conduct.yes || conduct.dry_run {
        return Ok(());
    }
    let counts = of_each(&looked.hubs, |hub| {
        let counts = hub.client.call(Call::get(&["statistics", "devices"]))?;
        Ok(counts["totalDeviceCount"].as_u64().unwrap_or_default())
    })?;
    let all: u64 = counts.into_iter().sum();
    if (looked.devices.len() as u64) < all {
        return Ok(());
    }
    let what = format!("`{verb}` is about to reach every device of {}, {all} in all", looked.of);
    if !confirmed(&what)? {
        bail!("not confirmed: nothing was done");
    }
    Ok(())
}
