//! `cloud blob-container`: containers of the emulator's storage, for the registry's export and import.

use serde_json::json;

use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const COLUMNS: &[Column<'_>] = &[("Name", "/name"), ("Expires", "/expires"), ("Uri", "/uri")];

/// Commands for containers of the storage. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum BlobContainerCommand {
    /// Make a container, if it is not there, and give a URI that permits all of it for a day.
    Create {
        /// 3 to 63 small letters, digits and dashes.
        #[arg(long, value_name = "NAME")]
        name: String,
    },
}

impl BlobContainerCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.emulated_hub(
            "containers (they belong to a storage account)",
            "az storage container create|generate-sas",
        )?;
        let Self::Create { name } = self;
        let made = hub.call(Call::put(&["blobContainers", &name], &json!({})))?;
        target.output.show(&made, COLUMNS)
    }
}
