//! An IoT hub: device identities, twins, and the devices connected to it.
//!
//! ```text
//!  service side (Hub) ──▶ Registry ◀── device side (session)
//!                            │ Push: desired change, method, messages
//!                            └──────────────▶ session ──▶ device
//! ```
//!
//! Every change is made in the registry under one lock, and what a connected device is to hear of it is put among its
//! pushes under the same lock: pushes reach a device in the order of their versions.

mod error;
mod device_id;
mod module_id;
mod initial_twin;
mod scopes;
mod twin_rules;
mod expression;
mod query;
mod method_rules;
mod configurations;
mod jobs;
mod model;
mod digital_twin;
mod section;
mod handout;
mod c2d;
mod upload;
mod registry_jobs;
mod telemetry;
mod endpoint;
mod outlet;
mod routing;
mod event_grid;
mod notice;
mod silence;
mod connection;
mod renewal;
mod broker;
mod trust;
mod registry;
mod service;
mod modules;
mod edge;
mod messages;
mod uploads;
mod registry_job;
mod identity;
mod twin;
mod renewals;
mod authorities;
mod method;
mod digital_twins;
mod queries;
mod configure;
mod deployments;
mod rollout;
mod scheduling;
mod work;
mod routes;
mod event_subscriptions;
mod receive;
mod event_hub;
mod watch;
mod admission;
mod session;
mod delivery;
mod twin_requests;
mod certificate_requests;
mod mqtt5;
mod amqp;

pub(crate) use admission::{NotAdmitted, Shown};
pub(crate) use amqp::HubPlace;
pub use c2d::{Acknowledgement, CloudToDeviceMessage};
pub(crate) use c2d::{LOCK_TIME, ReceivedMessage};
pub(crate) use configurations::QueryErrors;
pub use configurations::{
    Configuration, ConfigurationContent, ConfigurationInfo, ConfigurationMetrics, ConfigurationStatus,
};
pub(crate) use connection::MethodAnswer;
pub(crate) use device_id::check_device_id;
pub use endpoint::{ConsumerGroup, Retention};
pub use error::HubError;
pub use event_grid::{
    DeadLetterDestination, EventDeliverySchema, EventDestination, EventFilter, EventSubscription, EventType,
};
pub(crate) use handout::Handout;
pub use identity::DeviceSettings;
pub(crate) use identity::{Credentials, ProvisionedData, Standing};
pub use initial_twin::{InitialTwin, InitialTwinProperties};
pub(crate) use jobs::{JobKind, JobRequest, JobStatus};
pub(crate) use method::MethodCall;
pub use method::{DirectMethod, MethodResult};
pub use model::{
    Authentication, AuthenticationType, ConnectionState, Device, DeviceCapabilities, DeviceStatus, Module,
    Twin, TwinProperties, X509Thumbprint,
};
pub use module_id::module_address;
pub(crate) use module_id::split_address;
pub use modules::ModuleSettings;
pub(crate) use mqtt5::open_five;
pub(crate) use query::is_query;
pub(crate) use registry::TwinRecord;
pub(crate) use registry_jobs::{ContainerAt, JobOrder, RegistryJobKind, container_at};
pub use routing::{
    Endpoints, Enrichment, FallbackRoute, FileEndpoint, MessageSource, RetryPolicy, Route, Routing,
    WebhookEndpoint,
};
pub(crate) use routing::{RouteTrial, RoutesTrial, is_condition};
pub use service::Hub;
pub(crate) use service::{EndpointSettings, HubParts, KeptHub, RenewalSettings};
pub(crate) use session::{DeviceSession, open};
pub use silence::{Severity, Silence};
pub use telemetry::{TelemetryCounters, TelemetryMessage};
pub(crate) use twin::Cleared;
pub use twin::TwinPatch;
pub use twin_rules::TwinError;
pub(crate) use twin_rules::check_initial;
pub(crate) use upload::{UploadEnd, UploadTicket};
