//! The hub that DPS assigned, kept over a restart so that a reboot costs no DPS call.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;

/// The assignment, and what it was made with: it holds only for the same leaf, ID scope and DPS host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Host name of the hub.
    pub hub: String,
    /// Device ID at that hub.
    pub device_id: String,
    /// SHA-256 of the leaf: the hub knows the device by it, so a new leaf must register anew.
    pub thumbprint: String,
    /// ID scope of the DPS instance.
    pub id_scope: String,
    /// DPS host.
    pub dps_host: String,
}

/// The file that holds it.
#[derive(Debug, Clone)]
pub struct AssignmentFile(PathBuf);

impl AssignmentFile {
    /// The file in the state directory.
    pub fn new(state_directory: &Path) -> Self {
        Self(StateDirectory::new(state_directory).assignment())
    }

    /// The stored assignment, if there is one.
    pub fn read(&self) -> io::Result<Option<Assignment>> {
        state_file::read(&self.0)
    }

    /// Stores `assignment` in place of the one before, or forgets it.
    pub fn write(&self, assignment: Option<&Assignment>) -> io::Result<()> {
        match assignment {
            Some(assignment) => state_file::replace(&self.0, assignment),
            None => state_file::remove(&self.0),
        }
    }
}
