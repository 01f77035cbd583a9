//! All there is to say of one container that is no series.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Connection, Row, time};

/// A device identity at its hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Case-sensitive.
    pub id: String,
    /// Host name of the hub.
    pub hub: String,
    /// Whether it may connect.
    pub is_enabled: bool,
    /// Whether it is connected.
    pub connection: Connection,
    /// When it last connected, sent or received.
    #[serde(with = "time::option")]
    pub last_activity: Option<DateTime<Utc>>,
    /// Messages from the cloud that wait for it.
    pub messages_waiting: u64,
    /// `selfSigned`, `certificateAuthority`, `sas` or `none`.
    pub authentication: String,
    /// Of the certificates that it may show.
    pub thumbprints: Vec<String>,
    /// The twin, where the backend has it without asking for each: not part of the answer.
    #[serde(skip)]
    pub twin: Option<Value>,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeviceDetail {
    /// As in the list.
    pub row: Row,
    /// At its hub; null when no hub knows it.
    pub identity: Option<Identity>,
    /// Its registration record at DPS, as Azure has it.
    #[cfg_attr(test, schema(value_type = Option<Object>))]
    pub registration: Option<Value>,
    /// Fields of readings that there is data of.
    pub fields: Vec<String>,
    /// Time of its first reading.
    #[serde(with = "time::option")]
    pub first: Option<DateTime<Utc>>,
    /// Time of its last.
    #[serde(with = "time::option")]
    pub last: Option<DateTime<Utc>>,
}
