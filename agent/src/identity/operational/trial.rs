//! A request that nothing is kept of: whether the service issues is tried, and what is in use stays as it is.

use chrono::{DateTime, Utc};
use tracker_protocol::RegistrationId;

use super::csr;
use super::error::OperationalError;
use super::issued;
use super::key::{self, hex};

/// One of them. Its key is in memory alone, and forgotten with it.
#[derive(Debug)]
pub struct Trial {
    name: String,
    public_key: String,
    csr: String,
}

impl Trial {
    /// Makes a key and its request.
    pub fn new(id: &RegistrationId) -> Result<Self, OperationalError> {
        let (_, key) = key::make()?;
        let public_key = hex(&key.public_key().ok_or(OperationalError::Request)?);
        let csr = csr::base64(&csr::request(id, &*key)?);
        Ok(Self { name: id.to_string(), public_key, csr })
    }

    /// PKCS#10 in base64, one line.
    pub fn csr(&self) -> &str {
        &self.csr
    }

    /// The last moment of what was issued, leaf first, if it answers the request and could be used.
    pub fn check(
        &self,
        chain: &[Vec<u8>],
        now: Option<DateTime<Utc>>,
    ) -> Result<DateTime<Utc>, OperationalError> {
        Ok(issued::check(chain, &self.public_key, &self.name, now)?.leaf().not_after)
    }
}
