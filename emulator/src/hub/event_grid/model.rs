//! A subscription, in the shape of `Microsoft.EventGrid/eventSubscriptions` of Azure Resource Manager.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::routing::{RetryPolicy, check_file, check_url};

/// The longest prefix or suffix of a subject: the longest subject.
const MAX_SUBJECT: usize = 8 + 128;

/// What happens to a device, as Event Grid calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    /// An identity was made.
    #[serde(rename = "Microsoft.Devices.DeviceCreated")]
    DeviceCreated,
    /// An identity was deleted.
    #[serde(rename = "Microsoft.Devices.DeviceDeleted")]
    DeviceDeleted,
    /// A device has connected.
    #[serde(rename = "Microsoft.Devices.DeviceConnected")]
    DeviceConnected,
    /// A device has left.
    #[serde(rename = "Microsoft.Devices.DeviceDisconnected")]
    DeviceDisconnected,
    /// A device has sent a message.
    #[serde(rename = "Microsoft.Devices.DeviceTelemetry")]
    DeviceTelemetry,
}

/// Who wants to hear of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventSubscription {
    /// Where events go.
    pub destination: EventDestination,
    /// Which events.
    #[serde(default)]
    pub filter: EventFilter,
    /// In which form.
    #[serde(default)]
    pub event_delivery_schema: EventDeliverySchema,
    /// When a delivery is given up.
    #[serde(default)]
    pub retry_policy: RetryPolicy,
    /// What takes events that can't be delivered; without one they are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_destination: Option<DeadLetterDestination>,
    // What is shown, and may be sent back.
    #[serde(default, skip_serializing, rename = "provisioningState")]
    _provisioning_state: Option<Value>,
    #[serde(default, skip_serializing, rename = "topic")]
    _topic: Option<Value>,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "endpointType", content = "properties", deny_unknown_fields)]
pub enum EventDestination {
    /// A POST to an address.
    WebHook {
        /// http or https; Azure takes https alone.
        #[serde(rename = "endpointUrl")]
        endpoint_url: String,
    },
}

/// What takes dead letters. Azure has a storage account there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "endpointType", content = "properties", deny_unknown_fields)]
pub enum DeadLetterDestination {
    /// A file below the emulator's directory.
    File {
        /// Its name.
        file: String,
    },
}

/// The form of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventDeliverySchema {
    /// Event Grid's own.
    #[default]
    EventGridSchema,
}

/// Which events are meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EventFilter {
    /// A subject is `devices/{deviceId}`.
    pub subject_begins_with: String,
    /// The same from its end.
    pub subject_ends_with: String,
    /// Whether case counts in subjects.
    pub is_subject_case_sensitive: bool,
    /// All but telemetry, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub included_event_types: Option<Vec<EventType>>,
    #[serde(skip_serializing)]
    advanced_filters: Vec<Value>,
}

impl EventSubscription {
    /// All events but telemetry, to this address.
    pub fn to_webhook(endpoint_url: impl Into<String>) -> Self {
        Self {
            destination: EventDestination::WebHook { endpoint_url: endpoint_url.into() },
            filter: EventFilter::default(),
            event_delivery_schema: EventDeliverySchema::default(),
            retry_policy: RetryPolicy::default(),
            dead_letter_destination: None,
            _provisioning_state: None,
            _topic: None,
        }
    }

    /// The address.
    pub(in crate::hub) fn url(&self) -> &str {
        let EventDestination::WebHook { endpoint_url } = &self.destination;
        endpoint_url
    }

    /// The file of dead letters.
    pub(super) fn dead_letter_file(&self) -> Option<&str> {
        self.dead_letter_destination.as_ref().map(|DeadLetterDestination::File { file }| file.as_str())
    }

    /// Whether it can be; the error names the member that is wrong.
    pub(in crate::hub) fn check(&self) -> Result<(), String> {
        check_url("destination.properties.endpointUrl", self.url())?;
        self.retry_policy.check("retryPolicy")?;
        if let Some(file) = self.dead_letter_file() {
            check_file("deadLetterDestination.properties.file", file)?;
        }
        let subjects = [
            ("subjectBeginsWith", &self.filter.subject_begins_with),
            ("subjectEndsWith", &self.filter.subject_ends_with),
        ];
        if let Some((member, _)) = subjects.iter().find(|(_, text)| text.len() > MAX_SUBJECT) {
            return Err(format!(
                "filter.{member} has more than {MAX_SUBJECT} characters, which no subject has"
            ));
        }
        if self.filter.included_event_types.as_ref().is_some_and(Vec::is_empty) {
            return Err("filter.includedEventTypes is empty; without it, all but telemetry are meant".into());
        }
        if !self.filter.advanced_filters.is_empty() {
            return Err("filter.advancedFilters are not implemented by this emulator".into());
        }
        Ok(())
    }
}

impl EventFilter {
    /// Whether events of this type are meant, whatever their subject.
    pub(super) fn admits_type(&self, event_type: EventType) -> bool {
        match &self.included_event_types {
            Some(types) => types.contains(&event_type),
            None => event_type != EventType::DeviceTelemetry,
        }
    }

    /// Whether this event is meant.
    pub(super) fn admits(&self, event_type: EventType, subject: &str) -> bool {
        let (begin, end) = (&self.subject_begins_with, &self.subject_ends_with);
        let has_subject = if self.is_subject_case_sensitive {
            subject.starts_with(begin) && subject.ends_with(end)
        } else {
            let subject = subject.to_lowercase();
            subject.starts_with(&begin.to_lowercase()) && subject.ends_with(&end.to_lowercase())
        };
        has_subject && self.admits_type(event_type)
    }
}
