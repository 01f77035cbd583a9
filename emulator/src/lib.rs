//! A local Azure: the Device Provisioning Service and any number of IoT hubs, on a few ports of your machine.
//!
//! ```text
//!             one port, MQTT 3.1.1 over mutual TLS, or 5 at hubs of that kind
//!  device ──▶ TLS: client certificate passed on, not judged
//!         ──▶ CONNECT: the user name says DPS or which hub
//!               ├─ DPS session:  register ─▶ attestation by chain or token ─▶ hub, identity, record ◀── Dps ◀─┐
//!               └─ hub session:  telemetry, twin, methods, messages ◀────── Registry ◀───────────── Hub ◀─┤
//!             another port, REST over HTTPS                                                               │
//!  service ─▶ host name or key says which service ─▶ shared access signature ─▶ the same calls ───────────┘
//!
//!  all tell what happens ──────────────────────────────────────────────────────▶ Emulator::events()
//!  telemetry, as the hub received it ─▶ routes ─▶ webhooks, files, or ───────────▶ Hub::telemetry(), GET /telemetry
//!  what has to outlive a restart ──────────────────────────────────────────────▶ state directory, if asked for
//! ```
//!
//! It is for simulation, for tests of devices, backends and their SDKs, and to be run as a program. It answers as Azure
//! is documented, or was seen, to answer, refusals included: wrong ID scope, untrusted chain, disabled enrollment, taken
//! over connection, topics that do not exist, stale entity tags, bad signatures.
//!
//! # What it does not do
//!
//! It says so where it is asked for it: `QoS` 2; Microsoft Entra tokens.
//! It imitates no throttling of its own accord (see [`Faults`]).
//! Nothing in it is meant to protect anything: do not let it face a network you do not trust.
//!
//! # Example
//!
//! ```no_run
//! use tracker_emulator::{AttestationMechanism, Emulator, EnrollmentGroup, pki};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let root = pki::CertificateAuthority::root("lab root", pki::Validity::always())?;
//! let factory = root.intermediate("lab factory", pki::Validity::always())?;
//! let device = factory.device("sensor-thl-001", pki::Validity::always())?;
//!
//! let emulator = Emulator::builder().start().await?;
//! emulator.dps().certificates().upload_verified("lab-root", &root.certificate_pem())?;
//! let attestation = AttestationMechanism::signing_certificate(factory.certificate_pem());
//! emulator.dps().groups().create(EnrollmentGroup::new("trackers", attestation))?;
//! // Now let a device with `device.chain_pem` and `device.key_pem` connect to `emulator.address()`,
//! // trusting `emulator.server_ca_pem()`, with the ID scope `emulator.id_scope()`.
//! # emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Logging
//!
//! Through `tracing`: target `tracker_emulator::events` (info) tells every event in a line,
//! `tracker_emulator::wire` (trace) every MQTT packet in both directions, without bodies and passwords.

// The rooms, from the ground up: a room takes names from those above it in this list, never from those below it.

// The time, by which certificates are judged and records are stamped. Stands on nothing.
mod clock;
// The names that a hub has. Stands on nothing.
mod host_names;
// Opaque names that Azure makes up, and hexadecimal. Stands on nothing.
mod id;
// Locks that survive a panic elsewhere, and tell of changes. Stands on nothing.
mod lock;
// Entity tags, and the conditions made of them. Stands on nothing.
mod etag;
// Words in URIs. Stands on nothing.
mod uri;
// Bounded streams of what happens. Stands on nothing.
mod subscription;
// JSON that is kept in one piece. Stands on nothing.
mod packed;
// Memory that is given back to the system. Stands on nothing.
mod memory;
// A certificate authority for the lab. Stands on nothing.
pub mod pki;
// A TPM in software, for the lab. Stands on nothing.
pub mod soft_tpm;
// What happens, told to whoever listens. May touch the clock.
mod events;
// Misbehaviour on request. Says what is to go wrong; every other room plays its own part of it.
mod faults;
// By what devices and services prove who they are. Touches no socket and no service.
mod security;
// Sockets, TLS, and calls to the outside. Knows no service.
mod net;
// MQTT 3.1.1 and 5: packets, their bytes, one bounded connection. Knows no service.
mod mqtt;
// What the sessions of both MQTT services share. Knows neither of them.
mod session;
// One AMQP connection, and what services bring for it. Knows neither of them.
mod amqp;
// Files as blobs, on the disk. Knows no service.
mod storage;
// A namespace that issues certificates to devices. Knows neither service.
mod issuance;
// An IoT hub. Knows nothing of the provisioning service.
mod hub;
// The Device Provisioning Service, which writes identities into hubs.
mod dps;
// The port of the devices: hands each to DPS or to its hub.
mod front;
// The port of the services: REST over HTTPS.
mod rest;
// What a cloud is to hold when it begins, in one file. Uses the shapes of REST.
mod seed;
// What an emulator is started with: plain data.
mod options;
// What outlives a restart, in files.
mod state;
// The services before a port is opened.
mod services;
// The assembly: all of it, running.
mod emulator;
// The way in for tests: the options of an emulator, set call by call.
mod builder;
// The services driven by hand: time and packets in, packets out, without sockets; no part of the API.
#[doc(hidden)]
pub mod pair;
// Ways in for fuzz targets; no part of the API.
#[doc(hidden)]
pub mod fuzzing;

pub use builder::EmulatorBuilder;
pub use clock::{Clock, ManualClock, SystemClock};
pub use dps::{
    AllocationPolicy, AttestationMechanism, AttestationType, CaCertificate, CaReferences, Certificates,
    CustomAllocationDefinition, Dps, DpsError, EnrollmentGroup, EnrollmentTerms, Enrollments,
    IndividualEnrollment, LinkedHub, ProvisioningStatus, RegistrationState, RegistrationStatus,
    ReprovisionPolicy, Substatus, TpmAttestation, X509Attestation, X509CertificateWithInfo, X509Certificates,
};
pub use emulator::{Emulator, PreparedEmulator};
pub use etag::IfMatch;
pub use events::{DisconnectReason, Event, EventKind};
pub use faults::{Fault, FaultId, FaultKind, Faults, FaultyService, Strike};
pub use hub::{
    Acknowledgement, Authentication, AuthenticationType, CloudToDeviceMessage, Configuration,
    ConfigurationContent, ConfigurationInfo, ConfigurationMetrics, ConfigurationStatus, ConnectionState,
    ConsumerGroup, DeadLetterDestination, Device, DeviceCapabilities, DeviceSettings, DeviceStatus,
    DirectMethod, Endpoints, Enrichment, EventDeliverySchema, EventDestination, EventFilter,
    EventSubscription, EventType, FallbackRoute, FileEndpoint, Hub, HubError, InitialTwin,
    InitialTwinProperties, MessageSource, MethodResult, Module, ModuleSettings, Retention, RetryPolicy,
    Route, Routing, Severity, Silence, TelemetryCounters, TelemetryMessage, Twin, TwinError, TwinPatch,
    TwinProperties, WebhookEndpoint, X509Thumbprint, module_address,
};
pub use issuance::{CertificatePolicy, IssuanceError, IssuingAuthority, Namespace};
pub use net::tls::{ServerIdentityError, TlsVersions};
pub use options::{AMQPS_PORT, EmulatorOptions};
pub use security::access::ConnectionString;
pub use security::keys::SymmetricKey;
pub use security::x509::{CertificateError, X509CertificateInfo};
pub use seed::{Planted, Seed, SeedError};
pub use services::StartError;
pub use state::StateError;
pub use subscription::{Subscription, SubscriptionError};
