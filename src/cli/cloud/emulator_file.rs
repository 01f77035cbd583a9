//! `emulator.json`: how a running emulator tells the command line where it is.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use tracker_emulator::Emulator;

use crate::lab::local_cloud::write;

/// Its name in the emulator's directory.
const NAME: &str = "emulator.json";

/// The policies that may do everything.
const OWNERS: [&str; 2] = ["provisioningserviceowner", "iothubowner"];

/// What a client of a running emulator has to know. The file has keys in it and is for its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EmulatorFile {
    /// Where devices connect.
    pub address: String,
    /// The port of AMQP, if it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amqp_port: Option<u16>,
    /// What devices name.
    pub id_scope: String,
    /// The provisioning service.
    pub provisioning_service: ServiceEntry,
    /// The hubs.
    pub hubs: Vec<ServiceEntry>,
    /// What devices and clients trust, in PEM.
    pub server_ca: String,
    /// Whose file this is.
    pub process: u32,
}

/// A service of the emulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceEntry {
    /// The host name that Azure would give it.
    pub name: String,
    /// Of the policy that may do everything, with an address that leads here.
    pub connection_string: String,
}

impl EmulatorFile {
    /// Describes an emulator that others reach by this name, or as it listens; `None` when it has no service side.
    pub(crate) fn of(emulator: &Emulator, name: Option<&str>) -> Option<Self> {
        let service = emulator.service_address()?;
        // `localhost` is in every server certificate, and leads here whenever a wildcard or loopback is listened on.
        let is_local = service.ip().is_loopback() || service.ip().is_unspecified();
        let strings = emulator.connection_strings();
        let entries = |policy: &str| {
            let of_policy = strings.iter().filter(|string| string.policy == policy);
            let entry = |string: &tracker_emulator::ConnectionString| {
                let mut connection_string = string.local.clone();
                let other = name.map(str::to_owned).or_else(|| (!is_local).then(|| service.ip().to_string()));
                if let Some(other) = other {
                    let here = format!("HostName={other}");
                    connection_string = connection_string.replacen("HostName=localhost", &here, 1);
                }
                ServiceEntry { name: string.service.clone(), connection_string }
            };
            of_policy.map(entry).collect::<Vec<_>>()
        };
        let provisioning_service = entries(OWNERS[0]).pop()?;
        Some(Self {
            address: name.map_or_else(
                || emulator.address().to_string(),
                |name| format!("{name}:{}", emulator.address().port()),
            ),
            amqp_port: emulator.amqp_address().map(|address| address.port()),
            id_scope: emulator.id_scope().to_owned(),
            provisioning_service,
            hubs: entries(OWNERS[1]),
            server_ca: emulator.server_ca_pem(),
            process: std::process::id(),
        })
    }

    /// Whether a directory has no running emulator; the error names the one that it has.
    pub(crate) fn check_free(directory: &Path) -> anyhow::Result<()> {
        // A file that can't be opened, or not be locked there, is held by nobody.
        let Ok(file) = File::open(Self::path(directory)) else { return Ok(()) };
        if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok(());
        }
        let process = Self::load(directory).ok().flatten().map(|found| found.process);
        let process = process.map_or_else(String::new, |process| format!(" (process {process})"));
        anyhow::bail!(
            "another emulator{process} runs in {}: end it first, or choose another --directory",
            directory.display()
        )
    }

    /// Writes it into the directory, whole or not at all, readable for its owner only, and holds the directory by it: as
    /// long as what it gives back is there, no other emulator begins there. The system ends that with the process.
    pub(crate) fn save(&self, directory: &Path) -> anyhow::Result<File> {
        let path = directory.join(NAME);
        let temporary = path.with_extension("new");
        let text = serde_json::to_string_pretty(self).context("emulator.json can't be printed")?;
        // A leftover might have other permissions.
        let _ = std::fs::remove_file(&temporary);
        write(&temporary, &(text + "\n"), 0o600)?;
        let written = || format!("can't write {}", path.display());
        let held = File::open(&temporary).with_context(written)?;
        // Where a file system has no locks, nobody is kept away.
        let _ = held.try_lock();
        let renamed = Self::check_free(directory)
            .and_then(|()| std::fs::rename(&temporary, &path).with_context(written));
        if renamed.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        renamed.map(|()| held)
    }

    /// Removes the file from the directory if it is still this one, and gives the directory free.
    pub(crate) fn remove(&self, directory: &Path, _held: File) {
        if Self::load(directory).is_ok_and(|found| found.as_ref() == Some(self)) {
            // One that stays behind is noticed when nobody answers.
            let _ = std::fs::remove_file(directory.join(NAME));
        }
    }

    /// Reads it; `None` when there is none.
    pub(crate) fn load(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(directory);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("can't read {}", path.display()))?,
        };
        // The parser would repeat what it does not expect, and that may be a key.
        let is_wrong = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            anyhow!("{} is not what an emulator writes, see line {line}, column {column}", path.display())
        };
        serde_json::from_str(&text).map(Some).map_err(is_wrong)
    }

    /// Where it lies.
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(NAME)
    }

    /// The hub of this name, classic or of TLS 1.3, or of this first label; without a name the only one.
    pub(crate) fn hub(&self, name: Option<&str>) -> anyhow::Result<&ServiceEntry> {
        let names = || self.hubs.iter().map(|hub| hub.name.as_str()).collect::<Vec<_>>().join(", ");
        let is = |hub: &&ServiceEntry, wanted: &str| {
            let label = hub.name.split('.').next().unwrap_or_default();
            let classic =
                wanted.to_ascii_lowercase().replacen(".device.", ".", 1).replacen(".service.", ".", 1);
            hub.name.eq_ignore_ascii_case(&classic) || label.eq_ignore_ascii_case(wanted)
        };
        match (name, self.hubs.as_slice()) {
            (Some(name), hubs) => hubs
                .iter()
                .find(|hub| is(hub, name))
                .with_context(|| format!("the emulator has no hub {name:?}; it has {}", names())),
            (None, [only]) => Ok(only),
            (None, []) => anyhow::bail!("the emulator has no hub"),
            (None, _) => anyhow::bail!("the emulator has the hubs {}: choose one with --hub-name", names()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_goes_by_all_its_names() {
        let entry = |name: &str| ServiceEntry { name: name.into(), connection_string: String::new() };
        let file = EmulatorFile {
            address: String::new(),
            amqp_port: None,
            id_scope: String::new(),
            provisioning_service: entry("emulator-dps.azure-devices-provisioning.net"),
            hubs: ["hub-1", "hub-2"].map(|label| entry(&format!("{label}.azure-devices.net"))).into(),
            server_ca: String::new(),
            process: 1,
        };
        for name in [
            "hub-2",
            "HUB-2.azure-devices.net",
            "hub-2.device.azure-devices.net",
            "hub-2.Service.azure-devices.net",
        ] {
            assert_eq!(file.hub(Some(name)).unwrap().name, "hub-2.azure-devices.net", "{name}");
        }
        for name in ["hub-3", "hub-2.devices.azure-devices.net", "hub-2.device"] {
            assert!(file.hub(Some(name)).is_err(), "{name}");
        }
        assert!(file.hub(None).unwrap_err().to_string().contains("choose one with --hub-name"));
    }
}
