//! `cloud enrichment`: what a hub adds to messages on their way to endpoints.

use anyhow::bail;
use serde_json::json;

use super::routing_document::RoutingDocument;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::target::Target;

const ENRICHMENTS: &str = "/enrichments";

const COLUMNS: &[Column<'_>] = &[("Key", "/key"), ("Value", "/value"), ("Endpoints", "/endpointNames")];

/// Commands for message enrichments. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum EnrichmentCommand {
    /// Stamp what goes to some endpoints with a property.
    Create {
        /// The name of the property.
        #[arg(long, short = 'k', value_name = "NAME")]
        key: String,
        /// A text, $iothubname, or a path into the twin, like $twin.tags.customer.
        #[arg(long, short = 'v', value_name = "VALUE")]
        value: String,
        /// events, eventgrid, and endpoints of `cloud routing-endpoint`; several with commas.
        #[arg(long, short = 'e', value_name = "NAMES", value_delimiter = ',', required = true)]
        endpoints: Vec<String>,
    },
    /// All enrichments.
    List,
    /// Delete an enrichment.
    Delete {
        /// The name of the property.
        #[arg(long, short = 'k', value_name = "NAME")]
        key: String,
    },
}

impl EnrichmentCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let instead = "az iot hub message-enrichment create|list|delete";
        let mut routing = RoutingDocument::read(target, "message enrichments", instead)?;
        match self {
            Self::Create { key, value, endpoints } => {
                let enrichment = json!({"key": key, "value": value, "endpointNames": endpoints});
                routing.add(ENRICHMENTS, "key", enrichment.clone())?;
                routing.write()?;
                target.output.show(&enrichment, COLUMNS)
            }
            Self::List => target.output.show(&routing.part(ENRICHMENTS), COLUMNS),
            Self::Delete { key } => {
                if !routing.remove(ENRICHMENTS, "key", &key) {
                    bail!("the hub has no enrichment {key}");
                }
                routing.write()
            }
        }
    }
}
