//! Hubs of the first kind, by MQTT 3.1.1: topics say everything.

use std::time::Duration;

use tracker_protocol::hub::{
    self, CREDENTIALS_FILTER, CloudTopic, DeviceTopic, HubUsername, METHOD_FILTER, TWIN_DESIRED_FILTER,
    TWIN_RESPONSE_FILTER,
};
use tracker_protocol::{ParseError, Publish};

use crate::link::{Message, Properties};
use crate::platform::user_agent::user_agent;
use crate::uplink::session::dialect::words::{Dialect, Word};

/// IoT Plug and Play model of the messages and properties, described in `config/tracker-model.json`.
pub const MODEL_ID: &str = "dtmi:containertracker:Tracker;1";

/// The MQTT user name at a hub, which is to renew certificates or not.
pub fn username(hub: &str, device_id: &str, renews: bool) -> String {
    let api_version = if renews { hub::RENEWING_API_VERSION } else { hub::API_VERSION };
    HubUsername {
        hub: hub.into(),
        device_id: device_id.into(),
        module_id: None,
        api_version: Some(api_version.into()),
        client_type: Some(user_agent()),
        model_id: Some(MODEL_ID.into()),
    }
    .to_string()
}

/// Has nothing to remember.
pub(super) struct Classic {
    pub(super) renews: bool,
}

impl Dialect for Classic {
    fn filters(&self) -> Vec<String> {
        let filters = [TWIN_RESPONSE_FILTER, TWIN_DESIRED_FILTER, METHOD_FILTER];
        let renewal = self.renews.then_some(CREDENTIALS_FILTER);
        filters.into_iter().chain(renewal).map(str::to_owned).collect()
    }

    fn renews(&self) -> bool {
        self.renews
    }

    fn telemetry(&self, publish: Publish) -> Message {
        publish.into()
    }

    fn ask(&mut self, publish: Publish) -> Vec<Message> {
        vec![publish.into()]
    }

    fn hear(
        &mut self,
        _now: Duration,
        topic: &str,
        payload: Vec<u8>,
        _properties: Option<&Properties>,
    ) -> Result<Vec<Word>, ParseError> {
        Ok(match topic.parse()? {
            CloudTopic::TwinResponse { status, request_id, .. } => {
                vec![Word::Twin { status, request_id, payload }]
            }
            CloudTopic::DesiredPatch { version } => vec![Word::Desired { version, payload }],
            CloudTopic::MethodRequest { name, request_id } => vec![Word::Call { name, request_id, payload }],
            CloudTopic::CredentialResponse { status, request_id } => {
                vec![Word::Credentials { status, request_id, payload }]
            }
            CloudTopic::DeviceBound { .. } => Vec::new(),
        })
    }

    fn answer(&mut self, _now: Duration, request_id: String, status: i32, body: String) -> Option<Message> {
        let topic = DeviceTopic::MethodResponse { status, request_id }.to_string();
        Some(Publish { topic, payload: body.into_bytes() }.into())
    }
}
