//! The certificate that `provision` asks for with the registration, where Azure is to issue one. DPS takes a registration without
//! a request for a wish to have none any more, so that a dry run asks too, with a key that is forgotten at once.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracker_evidence::base64;
use tracker_protocol::RegistrationId;
use tracker_protocol::dps::{Outcome, RefusalKind};

use super::issued_words::in_words;
use crate::config::Config;
use crate::identity::operational::{Pairs, Trial};
use crate::platform::clock::minute;
use crate::status::issued::IssuedReport;

/// What is asked for.
pub(crate) enum Issuance {
    /// Nothing.
    Off,
    /// A certificate to be used.
    Asked(Box<Pairs>, String),
    /// One to be thrown away.
    Tried(Trial),
}

/// What came of it.
pub(crate) enum Issued {
    /// Nothing was asked for, or DPS has not assigned a hub.
    Off,
    /// A hub was assigned, and no certificate issued.
    Nothing,
    /// It was: for people, and for scripts.
    Told(String, Value),
}

impl Issuance {
    pub(crate) fn begin(
        config: &Config,
        id: &RegistrationId,
        dry_run: bool,
        now: Option<DateTime<Utc>>,
    ) -> anyhow::Result<Self> {
        if config.identity.operational.is_none() {
            return Ok(Self::Off);
        }
        if dry_run {
            return Ok(Self::Tried(Trial::new(id)?));
        }
        let Some(mut pairs) = config.pairs()? else { return Ok(Self::Off) };
        let csr = pairs.request(id, now)?.csr;
        Ok(Self::Asked(Box::new(pairs), csr))
    }

    pub(crate) fn csr(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Asked(_, csr) => Some(csr.clone()),
            Self::Tried(trial) => Some(trial.csr().to_owned()),
        }
    }

    /// Takes what was issued. An error says why it can't be used or stored.
    pub(crate) fn end(self, outcome: &Outcome, now: Option<DateTime<Utc>>) -> anyhow::Result<Issued> {
        let chain = match (&self, outcome) {
            (Self::Off, _) => return Ok(Issued::Off),
            (_, Outcome::Assigned(assigned)) => match &assigned.issued {
                Some(chain) => decoded(chain).context("the issued certificate is no base64")?,
                None => return Ok(Issued::Nothing),
            },
            (_, Outcome::Refused(refusal)) if refusal.kind == RefusalKind::BadRequest => Vec::new(),
            _ => return Ok(Issued::Off),
        };
        match self {
            // Perhaps it was the request that was bad.
            Self::Asked(mut pairs, _) if chain.is_empty() => {
                pairs.forget_request()?;
                Ok(Issued::Off)
            }
            Self::Asked(mut pairs, _) => {
                pairs.take(&chain, now)?;
                let report = IssuedReport::of(&pairs.summary(), now);
                let text = format!("; issued for the hub: {}", in_words(&report));
                Ok(Issued::Told(text, serde_json::to_value(report)?))
            }
            Self::Tried(trial) if !chain.is_empty() => {
                let until = trial.check(&chain, now)?;
                let text = format!(
                    "; a certificate for the hub was asked for and issued, until {}, and thrown away",
                    minute(until)
                );
                Ok(Issued::Told(text, json!({ "thrownAway": true, "notAfter": until })))
            }
            Self::Tried(_) | Self::Off => Ok(Issued::Off),
        }
    }
}

fn decoded(chain: &[String]) -> Option<Vec<Vec<u8>>> {
    let decode = |text: &String| {
        base64::decode(text.trim_end_matches('=').replace('+', "-").replace('/', "_").as_str())
    };
    chain.iter().map(decode).collect()
}
